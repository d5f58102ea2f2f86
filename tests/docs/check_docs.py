"""Holds docs/protocol.md and docs/security.md against the sources: each test that they name exists,
and each call, parameter and limit that the sources have is named.

Usage: check_docs.py SOURCE_ROOT
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
errors = []


def read(path):
    return (root / path).read_text()


suites, tests = set(), set()
for path in list((root / "src").rglob("*_test.cc")) + list((root / "tests").rglob("*_test.cc")):
    for suite, name in re.findall(r"^TEST(?:_[FP])?\((\w+), (\w+)\)", path.read_text(), re.M):
        suites.add(suite)
        tests.add((suite, name))
names = {name for _, name in tests}
targets = set(re.findall(r'^const Target \w+ = \{"(\w+)"', "\n".join(
    path.read_text() for path in (root / "fuzz").glob("*.cc")), re.M))

for page in ("docs/protocol.md", "docs/security.md"):
    text = read(page)
    for suite, name in re.findall(r"`(\w+Test)\.(\w*)`", text):
        if suite not in suites or (name and (suite, name) not in tests):
            errors.append("%s: there is no test %s.%s" % (page, suite, name))
    for suite in re.findall(r"`(\w+Test)`", text):
        if suite not in suites:
            errors.append("%s: there are no tests %s" % (page, suite))
    # Further tests of a suite are named without it: several words, the first with a verb's ending.
    for name in re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]*){3,})`", text):
        if name not in names:
            errors.append("%s: there is no test %s" % (page, name))
    for listed in re.findall(r"fuzz(?:/`:)?((?:,? `\w+`)+)", text):
        for target in re.findall(r"`(\w+)`", listed):
            if target not in targets:
                errors.append("%s: there is no fuzz target %s" % (page, target))
    # `folder/file.h`, `kConstant`: the constant is there.
    for path, constant in re.findall(r"`((?:[a-z]+/)+\w+\.(?:h|cc))`, `(k\w+)`", text):
        if constant not in read("src/braid/" + path):
            errors.append("%s: %s has no %s" % (page, path, constant))

protocol = read("docs/protocol.md")
for call in re.findall(r"^\s*rpc (\w+)\(", read("src/braid/protocol/open_inference.proto"), re.M):
    if "`%s`" % call not in protocol and "/%s`" % call not in protocol:
        errors.append("docs/protocol.md: the call %s is missing" % call)
for parameter in re.findall(r'"(braid_\w+)";', read("src/braid/protocol/names.h")):
    if "`%s`" % parameter not in protocol:
        errors.append("docs/protocol.md: the parameter %s is missing" % parameter)
for status in re.findall(r"return (\d{3});", read("src/braid/serving/rest_status.cc")):
    if status not in ("501",) and status not in protocol:
        errors.append("docs/protocol.md: the status %s is missing" % status)

for error in errors:
    print(error)
sys.exit(1 if errors else 0)
