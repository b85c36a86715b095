"""What runs a cell in the child; it comes with each cell, as code, and runs with builtins of its own.

The rule: a test cell passes only where every one of its statements ran to its end, after everything that it stands on was
put back to what it was before any code of the submission ran. This file is never imported in the child: `cells.py` sends it
compiled. It gets `order` (itself, kind, statements, value, options), `held` (shell, snapshot, seen, modules) and `send`.
"""

# Its names are given to it when it is run, and it imports only after it has put things back.
# mypy: ignore-errors
# ruff: noqa: F821, S102, S110, S307, SIM105

from __future__ import annotations


def restore():
    """Put the guarded modules, their functions and classes back; give how many things had been changed."""
    changed = 0
    if options["patches"]:
        return changed  # the assignment itself replaces such things, for its own tests
    for space, name, module, items in snapshot[0]:
        if modules.get(name) is not module:
            modules[name] = module
        for key, value in items:
            if space.get(key) is not value:
                space[key] = value
                changed += 1
    for function, code, defaults, keywords in snapshot[1]:
        if (function.__code__ is not code or function.__defaults__ is not defaults
                or function.__kwdefaults__ is not keywords):  # fmt: skip
            function.__code__, function.__defaults__, function.__kwdefaults__ = code, defaults, keywords
            changed += 1
    for kind, items in snapshot[2]:
        now = type.__dict__["__dict__"].__get__(kind)
        for key, value in items:
            if now.get(key) is not value:
                type.__setattr__(kind, key, value)
                changed += 1
    return changed


def clear_hooks():
    """Take away what would run beside a test, or change its course."""
    import gc
    import signal
    import sys

    sys.settrace(None)
    sys.setprofile(None)
    sys.meta_path[:], sys.path_hooks[:] = snapshot[3]
    gc.callbacks.clear()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.setitimer(signal.ITIMER_PROF, 0)


def own_outputs():
    """Collect this cell's outputs anew, and give the streams a way to them."""
    import sys

    from grader.engine.warm.shell import Outputs, Stream

    outputs = Outputs()
    outputs.begin(options["output_bytes"])
    for part in (shell, shell.display_pub, shell.displayhook):
        object.__setattr__(part, "outputs", outputs)
    sys.stdout, sys.stderr = Stream(outputs, "stdout", 1), Stream(outputs, "stderr", 2)
    return outputs


def shadows(space):
    """Take away names that hide a builtin and that the assignment itself does not give; they come back afterwards."""
    import builtins

    known = {n for n in vars(builtins) if not n.startswith("_")}
    hidden = {n: space[n] for n in list(space) if n in known and n not in options["given"]}
    for name in hidden:
        del space[name]
    return hidden


def run_statements(space, outputs):
    """Run the statements one by one; how many ran to their end, and the error that ended them."""
    done = 0
    try:
        for code in statements:
            exec(code, space)
            done += 1
        if value is not None:
            show(eval(value, space), outputs)
            done += 1
    except BaseException as error:
        return done, error
    return done, None


def show(result, outputs):
    """The value of the last expression, as a kernel shows it."""
    if result is None or options["quiet"]:
        return
    if type(result) in (int, float, bool, str):
        data = {"text/plain": repr(result)}
        metadata = {}
    else:
        data, metadata = shell.display_formatter.format(result)
    outputs.add({"output_type": "execute_result", "data": data, "metadata": metadata, "execution_count": None})


def error_output(error):
    """An error as an output; its text is for reading only, so it may fail."""
    import traceback

    try:
        lines = traceback.format_exception(error)
        kept = [line for line in lines if "<guard>" not in line]
        said = str(error)
    except BaseException:
        kept, said = [], ""
    return {"output_type": "error", "ename": type(error).__name__, "evalue": said, "traceback": kept}


def run_guarded():
    """A locked cell, as the instructor wrote it."""
    import linecache

    restore()
    clear_hooks()
    space = shell.user_ns
    space["__builtins__"] = modules["builtins"]
    outputs = own_outputs()
    hidden = shadows(space)
    linecache.cache[options["name"]] = (
        len(options["source"]),
        None,
        options["source"].splitlines(True),
        options["name"],
    )
    before = len(seen)
    try:
        done, error = run_statements(space, outputs)
    finally:
        linecache.cache.pop(options["name"], None)
    met = sorted({*seen[before:]})
    if restore():
        met.append("patched")
    for name in hidden:
        space.setdefault(name, hidden[name])
    return outputs, {"done": done, "error": error_output(error) if error is not None else None, "tampered": met}


def run_open():
    """A learner's cell: whatever IPython makes of it."""
    outputs = own_outputs()
    ran = shell.run_cell(options["source"], store_history=True)
    return shell.outputs if type(shell.outputs) is type(outputs) else outputs, {
        "done": int(getattr(ran, "success", None) is True),
        "error": None,
        "tampered": [],
    }


def printed_below(start):
    """What was written past Python, by programs that a cell started."""
    import os

    found = []
    for name, descriptor, begin in (("stdout", 1, start[0]), ("stderr", 2, start[1])):
        data = os.pread(descriptor, options["output_bytes"], begin)
        start[descriptor - 1] = os.fstat(descriptor).st_size
        if data:
            found.append({"output_type": "stream", "name": name, "text": data.decode("utf-8", "replace")})
    return found


def answer():
    """Run the cell, and tell how it ended."""
    import json
    import signal
    import sys

    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        outputs, how = run_guarded() if kind == "guarded" else run_open()
        kept = outputs.taken()
    except BaseException as error:
        how, kept = {"done": 0, "error": None, "tampered": ["broken"]}, [error_output(error)]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    restore()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass
    offsets = list(options["offsets"])
    kept += printed_below(offsets)
    message = {**how, "nonce": options["nonce"], "outputs": kept, "offsets": offsets}
    try:
        text = json.dumps(message, default=str)
    except BaseException:
        text = json.dumps(
            {**message, "outputs": [], "error": how["error"] and error_output(ValueError("unreadable output"))}
        )
    data = text.encode("utf-8", "replace")
    send(len(data).to_bytes(4, "big") + data)


_, kind, statements, value, options = order
shell, snapshot, seen, modules = held
restore()
answer()
