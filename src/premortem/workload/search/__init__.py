"""The search for the best set of indexes: questions, what follows from their answers, and a program over both."""
