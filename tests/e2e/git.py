"""git: a repository from its first commit to a merge, a clone and a garbage collection."""

import os

from recording import file, need, record_and_replay, scratch

git = need("git")
environment = {"HOME": scratch, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@localhost",
               "GIT_COMMITTER_NAME": "C", "GIT_COMMITTER_EMAIL": "c@localhost", "GIT_PAGER": "cat", "GIT_TERMINAL_PROMPT": "0"}
repository = os.path.join(scratch, "repository")
os.makedirs(repository)


def run(*arguments, contains=(), status=0):
    return record_and_replay([git, *arguments], contains, status, cwd=repository, environment=environment)


run("init", "-q", "-b", "trunk")
for i in range(30):
    file(f"repository/file-{i}", f"content {i}\n" * (i + 1))
run("add", ".")
run("commit", "-q", "-m", "First")
run("checkout", "-q", "-b", "side")
file("repository/file-3", "changed on the side\n")
run("commit", "-q", "-a", "-m", "Side")
run("checkout", "-q", "trunk")
file("repository/new", "new\n")
run("add", "new")
run("commit", "-q", "-m", "Second")
run("merge", "--no-edit", "side", contains=["Merge made by"])
run("log", "--stat", "--format=%h %s", contains=["First", "Second", "Side"])
run("diff", "HEAD~1", "--exit-code", status=1, contains=["changed on the side"])
run("gc", "-q")
run("clone", "-q", ".", os.path.join(scratch, "clone"))
run("fsck")
run("checkout", "no-such-branch", status=1)
