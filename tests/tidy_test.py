"""Holds the style of STYLE.md and the dependency rules of ARCHITECTURE.md.

Run from the root of the tree: python3 tests/tidy_test.py. Prints one line for each breach.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 5
MAX_COLUMNS = 100

# What the files of a directory may include besides their own directory.
ALLOWED = {
    "base": set(),
    "rpc": {"base", "proto"},
    "kernels": {"base"},
    "tokenizer": {"base"},
    "rl": {"base"},
    "collective": {"base"},
    "checkpoint": {"base"},
    "data": {"base", "tokenizer"},
    "model": {"base", "checkpoint"},
    "wire": {"base", "rl", "proto"},
    "task": {"base", "rpc", "proto", "wire"},
    "spec": {"base", "data", "tokenizer", "task", "proto"},
    "worker": {"base", "kernels", "model", "data", "tokenizer", "checkpoint", "collective", "rl",
               "task", "rpc", "proto", "spec", "wire"},
    "rollout": {"base", "model", "tokenizer", "kernels", "checkpoint", "task", "rpc", "proto"},
    "reward_service": {"base", "model", "data", "tokenizer", "checkpoint", "task", "rpc", "proto"},
    "ppo": {"base", "data", "tokenizer", "checkpoint", "rl", "task", "rpc", "proto", "spec",
            "wire"},
    "eval": {"base", "data", "tokenizer", "checkpoint", "task", "rpc", "proto", "spec"},
    "coordinator": {"base", "rpc", "proto", "wire"},
    "agent": {"base", "rpc", "proto", "checkpoint", "task", "wire"},
    "cli": {"base", "rpc", "proto", "tokenizer", "data", "checkpoint"},
}
# Directories without torch, by design: the control plane, data and text.
NO_TORCH = {"base", "rpc", "tokenizer", "data", "rl", "wire", "task", "spec", "coordinator",
            "agent", "ppo", "eval", "cli"}
PURE = {"coordinator/core", "agent/core", "task/core", "rl"}
TORCH_INCLUDE = re.compile(r'#include <(ATen|torch|c10)/')
WIRE_INCLUDE = re.compile(r'#include (<grpc|<google/protobuf|"trainyard/v1/)')
BANNED_SUFFIX = re.compile(
    r'\b(?:class|struct)\s+\w*(Manager|Helper|Util|Handler|Data|Info)\s*[{:;f]')


def tracked_files():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def strip(source):
    """The source with comments and literals blanked, line breaks kept."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'", re.S)

    def blank(match):
        text = match.group(0)
        lines = "\n" * text.count("\n")
        return ('""' if text[0] in '"R' else " ") + lines

    source = pattern.sub(blank, source)
    return re.sub(r'^[ \t]*#(?:[^\n\\]|\\\n|\\.)*', lambda m: "\n" * m.group(0).count("\n"), source,
                  flags=re.M)


def split_parameters(text):
    depth, count, seen = 0, 0, False
    for char in text:
        if char in "(<[{":
            depth += 1
        elif char in ")>]}":
            depth -= 1
        elif char == "," and depth == 0:
            count += 1
        if not char.isspace():
            seen = True
    return count + 1 if seen else 0


def functions(code):
    """(first line, lines, name, parameters) of each outermost function body."""
    stack, begin, line = [], 0, 1
    for position, char in enumerate(code):
        if char == "\n":
            line += 1
        elif char == "{":
            head = code[begin:position].strip()
            kind = "block"
            inside = any(frame[0] == "function" for frame in stack)
            signature = re.match(
                r"(?:template\s*<.*?>\s*)?(.*?)([\w:~]+|operator\s*\S+)\s*\(", head, re.S)
            scope = re.match(r"(?:template\s*<.*>\s*)?(?:inline\s+)?"
                             r"(namespace|class|struct|enum|union|extern)\b", head, re.S)
            if not inside and signature and not (scope and ")" not in head) and "=" not in \
                    re.sub(r"operator\s*\S+|\([^()]*\)|[=!<>]=", "", head.split("(")[0]):
                kind = "function"
            stack.append((kind, line, head, signature))
            begin = position + 1
        elif char == "}":
            if stack:
                kind, first, head, signature = stack.pop()
                if kind == "function":
                    opened = head.index("(", signature.start(2))
                    depth, end = 0, opened
                    for end in range(opened, len(head)):
                        depth += {"(": 1, ")": -1}.get(head[end], 0)
                        if depth == 0:
                            break
                    yield first, line - first + 1, signature.group(2), \
                        split_parameters(head[opened + 1:end])
            begin = position + 1
        elif char == ";":
            if not stack or stack[-1][0] != "function":
                begin = position + 1


def check_size(path, text):
    lines = text.splitlines()
    if len(lines) > MAX_FILE_LINES:
        yield f"{path}: {len(lines)} lines, at most {MAX_FILE_LINES}"
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_COLUMNS and "http" not in line:
            yield f"{path}:{number}: {len(line)} columns, at most {MAX_COLUMNS}"
        if line.rstrip() != line:
            yield f"{path}:{number}: space at the end of the line"


def check_functions(path, code):
    for first, count, name, parameters in functions(code):
        if count > MAX_FUNCTION_LINES:
            yield f"{path}:{first}: {name} has {count} lines, at most {MAX_FUNCTION_LINES}"
        if parameters > MAX_PARAMETERS:
            yield f"{path}:{first}: {name} has {parameters} parameters, at most {MAX_PARAMETERS}"


def check_includes(path, text):
    directory = path.parts[0]
    if directory not in ALLOWED:
        return
    for include in re.findall(r'#include "([^"]+)"', text):
        target = "proto" if include.startswith("trainyard/v1/") else include.split("/")[0]
        if target not in ALLOWED and target != "proto":
            continue  # a package of the system
        if target != directory and target not in ALLOWED[directory]:
            yield f"{path}: includes {include}, but {directory}/ may not use {target}/"
        elif target != "proto" and not (ROOT / include).exists():
            yield f"{path}: includes {include}, which is not in the tree"
    has_torch, has_wire = TORCH_INCLUDE.search(text), WIRE_INCLUDE.search(text)
    if has_torch and directory in NO_TORCH:
        yield f"{path}: includes torch, but {directory}/ is free of it"
    if has_torch and has_wire:
        yield f"{path}: sees torch and protobuf headers in one file"
    if has_wire and (str(path.parent) in PURE or (directory + "/" + path.stem) in PURE):
        yield f"{path}: is pure and must not see protobuf or gRPC"
    if "torch/torch.h" in text:
        yield f"{path}: includes torch/torch.h (18 s of compile time): include ATen/ATen.h"
    if re.search(r"\bgrpc::Status\b", text) and directory not in {"rpc"} and path.suffix == ".h" \
            and "Service" not in text:
        yield f"{path}: only rpc/ and service files know grpc::Status"


def check_words(path, text, code):
    for match in BANNED_SUFFIX.finditer(code):
        yield f"{path}: a class name ends in the banned suffix {match.group(1)}"
    if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", text):
        yield f"{path}: has a TODO without an issue"
    words = ["std::mt19937", "std::rand(", "sleep_for(", "absl::SleepFor("]
    if path.parts[0] in NO_TORCH:
        words.append(".detach()")  # of a thread; a tensor's is another thing
    for word in words:
        if word in code and path.parts[0] != "tests":
            yield f"{path}: uses {word}"
    if re.search(r"\bgetenv\(", code) and path.parts[0] not in {"tests", "cli", "bench"}:
        yield f"{path}: reads the environment; behaviour comes from options only"


def check_guard(path, text):
    if path.suffix == ".h":
        guard = "TRAINYARD_" + re.sub(r"[/.]", "_", str(path)).upper() + "_"
        if f"#ifndef {guard}" not in text:
            yield f"{path}: header guard is not {guard}"


def check_tests_mirror(files):
    tests = {p.name for p in files if p.parts[0] == "tests"}
    for path in files:
        if path.suffix != ".cc" or path.parts[0] not in ALLOWED or path.stem == "main" or \
                path.stem.endswith("_main"):
            continue
        if f"{path.stem}_test.cc" not in tests:
            yield f"{path}: has no tests/**/{path.stem}_test.cc"


def check_dead(files):
    lists = "\n".join((ROOT / p).read_text() for p in files if p.name == "CMakeLists.txt")
    for path in files:
        if path.suffix == ".cc" and not re.search(rf"(?<![\w]){re.escape(path.name)}\b", lists):
            yield f"{path}: is in no CMakeLists.txt"


def check_private(path, text):
    if path.name == "tidy_test.py":
        return
    for match in re.finditer(r"(?:/home/|/root/|/work/)\w+", text):
        yield f"{path}: names a machine's path {match.group(0)}"


def main():
    strict_mirror = "--mirror" in sys.argv
    files = [p.relative_to(ROOT) for p in tracked_files()]
    breaches = []
    for path in files:
        if path.suffix not in {".cc", ".h", ".py", ".cu"} and path.name not in {"CMakeLists.txt"}:
            continue
        text = (ROOT / path).read_text()
        breaches += check_size(path, text)
        breaches += check_private(path, text)
        if path.suffix in {".cc", ".h", ".cu"}:
            code = strip(text)
            breaches += check_functions(path, code)
            breaches += check_includes(path, text)
            breaches += check_words(path, text, code)
            breaches += check_guard(path, text)
    breaches += check_dead(files)
    mirror = list(check_tests_mirror(files))
    if strict_mirror:
        breaches += mirror
    for breach in breaches:
        print(breach)
    print(f"{len(files)} files, {len(breaches)} breaches, {len(mirror)} sources without a test of "
          "their name")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
