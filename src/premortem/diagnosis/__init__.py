"""Why a statement is slow on a live server, and what to type next."""
