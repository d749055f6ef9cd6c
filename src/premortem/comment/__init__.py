"""The report as one comment of a pull request, posted once and kept up to date.

Words: a *forge* is GitHub or GitLab; a *mark* is the hidden first line by which we know our comment; to *settle* is to
leave one comment where there are several.

    target(environment, event, …)  -> Target    where to post, from what a CI job knows
    post(target, text)             -> Outcome   created, updated, unchanged, or left to a newer run

    post
    ├── wire       HTTP: timeouts, waits, proxies; never a token in a message
    ├── github, gitlab
    ├── fitting    what is too long is cut where nothing stands open
    └── posting    list → decide → write → list again, until one comment is left and it is right

It never touches a comment that does not begin with our mark, and sends the token to no other host than the API's.
"""

from premortem.comment.fitting import fitted
from premortem.comment.marks import Mark
from premortem.comment.places import Forge, Target, target
from premortem.comment.posting import Outcome, open_forge, post

__all__ = ["Forge", "Mark", "Outcome", "Target", "fitted", "open_forge", "post", "target"]
