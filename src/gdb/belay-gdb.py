# SPDX-License-Identifier: MIT
"""belay-gdb.py - the tasks and contexts of a program that uses Belay, of a process or a core.

    belay tasks           every task: its state, what it waits for, the line that spawned it
    belay bt TASK|all     where a task is: its number in that list, or its address
    belay contexts        every context that is alive, below its parent

Needs libbelay with its debug information. A task that is parked has left its registers on its stack
(src/task/switch_*.S), the rest is what gdb does with any frame: an unwinder of ours claims that
these registers are what called the newest frame, and gdb goes on from there.
"""
import re

import gdb
import gdb.unwinder

# Where a switch saves what, from the stack pointer on; how many bytes; and what points where.
SWITCHES = {
    "i386:x86-64": {
        "saved": {"r15": 8, "r14": 16, "r13": 24, "r12": 32, "rbx": 40, "rbp": 48, "rip": 56},
        "size": 64, "sp": "rsp", "pc": "rip",
    },
    "aarch64": {
        "saved": {**{f"x{19 + i}": 16 + 8 * i for i in range(12)}, "pc": 104},
        "size": 176, "sp": "sp", "pc": "pc",
    },
    "riscv:rv64": {
        "saved": {"pc": 8, "fp": 16, "s1": 24, **{f"s{i}": 16 + 8 * i for i in range(2, 12)}},
        "size": 208, "sp": "sp", "pc": "pc",
    },
}

WAITS = ["something", "a channel", "select", "sleep", "a context's end", "a lock", "a group",
         "a descriptor", "a blocking call"]
KINDS = ["without_cancel", "with_value", "background", "todo", "error", "with_cancel",
         "with_deadline", "with_merge"]


# ---- What is in the program ----------------------------------------------------------------------

def static(function, name):
    """The static variable of that name in the file of function. None: nothing is Belay's."""
    symbol = gdb.lookup_global_symbol(function)
    if not symbol:
        return None
    found = symbol.symtab.static_block()
    for variable in found:
        if variable.name == name and variable.is_variable:
            return variable.value()
    raise gdb.GdbError(f"no {name} beside {function}: is libbelay's debug information there?")


def need(value):
    if value is None:
        raise gdb.GdbError("no libbelay with debug information in this program")
    return value


def plain(value):
    """An atomic variable's value, which some versions of gdb wrap."""
    if value.type.code == gdb.TYPE_CODE_STRUCT:
        return value
    return value.cast(value.type.unqualified())


def line(site):
    """Where a struct belay_site * points to, for people."""
    if not int(site) or not int(site["file"]):
        return "an unknown line"
    return f'{site["file"].string()}:{int(site["line"])} in {site["func"].string()}()'


# ---- Tasks ---------------------------------------------------------------------------------------

class Task:
    def __init__(self, value, state):
        self.value = value
        self.address = int(value.address)
        self.state = state

    def waits_for(self):
        return WAITS[int(self.value["why"])] if self.state == "parked" else ""

    def stack_pointer(self):
        return int(self.value["fiber"]["context"]["sp"])


def linked(first):
    """A line of tasks, through next."""
    while int(first):
        yield int(first)
        first = first.dereference()["next"]


def workers():
    house = need(gdb.lookup_global_symbol("belay__house")).value()
    for i in range(int(house["count"]) if int(house["workers"]) else 0):
        yield house["workers"][i]


def states():
    """Of the tasks that have begun and are not parked, by address."""
    runner = gdb.lookup_type("struct belay__task").fields()
    offset = next(field.bitpos // 8 for field in runner if field.name == "runner")
    found = {}
    for worker in workers():
        for task in linked(worker["ready"]["first"]):
            found[task] = "ready"
        for task in linked(plain(worker["inbox"])):
            found[task] = "ready"
        current = int(plain(worker["current"]))
        if current:
            at = gdb.Value(current).cast(gdb.lookup_type("long").pointer())
            if int(at.dereference()):
                found[int(at.dereference()) - offset] = "running"
    return found


def places():
    """Where tasks are or may be: ordinary ones, then those with a stack of another size."""
    slab = need(static("belay__task_take", "pool"))["slabs"]
    while int(slab):
        members = slab["tasks"]
        low, high = members.type.range()
        for i in range(low, high + 1):
            yield members[i]
        slab = slab["next"]
    sized = need(static("belay__sized_take", "sized"))["made"]
    while int(sized):
        yield sized["task"]
        sized = sized["next_made"]


def tasks():
    begun = states()
    for task in places():
        if int(plain(task["site"])):
            state = "parked" if int(task["worker"]) else "new"
            yield Task(task, begun.get(int(task.address), state))


def numbered():
    """Oldest memory first, so that a task keeps its number while nothing is added below it."""
    return list(enumerate(sorted(tasks(), key=lambda task: task.address), 1))


# ---- Backtraces ----------------------------------------------------------------------------------

class Parked(gdb.unwinder.Unwinder):
    """While it has a task, says that this one called the newest frame that it is asked about: calls
    that were inlined into that one are frames too, of which gdb asks nobody."""

    def __init__(self):
        super().__init__("belay")
        self.sp = self.level = None

    def pretend(self, sp):
        """From here on, or with None the truth."""
        self.sp, self.level = sp, None
        gdb.invalidate_cached_frames()

    def __call__(self, pending):
        if self.sp is None:
            return None
        if self.level is None:
            self.level = pending.level()
        if pending.level() != self.level:
            return None
        switch = SWITCHES[pending.architecture().name()]
        here = FrameId(pending.read_register(switch["sp"]), pending.read_register(switch["pc"]))
        info = pending.create_unwind_info(here)
        word = gdb.lookup_type("unsigned long").pointer()
        for register, offset in switch["saved"].items():
            info.add_saved_register(register, gdb.Value(self.sp + offset).cast(word).dereference())
        info.add_saved_register(switch["sp"], gdb.Value(self.sp + switch["size"]))
        return info


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


parked = Parked()
gdb.unwinder.register_unwinder(None, parked, replace=True)


def backtrace_parked(task):
    """As "bt" has it, without the frames that were there before. Of these one may be main(), which
    gdb would take for the end of any backtrace."""
    gdb.newest_frame().select()
    parked.pretend(task.stack_pointer())
    try:
        text = gdb.execute("with backtrace past-main on -- backtrace", to_string=True)
        skipped = parked.level + 1
    finally:
        parked.pretend(None)
    frames = re.split(r"^(?=#)", text, flags=re.MULTILINE)[1 + skipped:]
    return "".join(re.sub(r"^#\d+ *", f"#{i:<3}", frame) for i, frame in enumerate(frames))


def backtrace_running(task):
    """Of the thread that runs it; its own stack, then."""
    tid = next(int(worker["tid"]) for worker in workers()
               if int(worker.address) == int(task.value["worker"]))
    for thread in gdb.selected_inferior().threads():
        if thread.ptid[1] == tid:
            thread.switch()
            return gdb.execute("backtrace", to_string=True)
    return "its thread is not there\n"


def backtrace_of(task):
    if task.state == "new":
        return "has not begun\n"
    if task.state == "running":
        return backtrace_running(task)
    if gdb.selected_inferior().architecture().name() not in SWITCHES:
        raise gdb.GdbError("no backtraces of tasks on this processor")
    return backtrace_parked(task)


def backtrace(task):
    """Leaves the thread and the frame selected that are."""
    thread, frame = gdb.selected_thread(), gdb.selected_frame()
    try:
        return backtrace_of(task)
    finally:
        thread.switch()
        frame.select()


# ---- Contexts ------------------------------------------------------------------------------------

def ring(first):
    """The links of a ring, as addresses."""
    link = first
    while int(link):
        yield link
        link = link["next"]
        if int(link) == int(first):
            return


def contexts():
    ctx_type = gdb.lookup_type("struct belay_ctx")
    chunk_type = gdb.lookup_type("struct chunk")
    offset = {field.name: field.bitpos // 8 for field in chunk_type.fields()}
    slabs = need(static("belay__ctx_new", "slabs"))
    low, high = slabs.type.range()
    for i in range(low, high + 1):
        for link in ring(slabs[i]["chunks"]):
            base = int(link) - offset["all"]
            chunk = gdb.Value(base).cast(chunk_type.pointer()).dereference()
            for n in range(int(chunk["fresh"])):
                at = base + offset["slots"] + n * int(slabs[i]["size"])
                ctx = gdb.Value(at).cast(ctx_type.pointer()).dereference()
                if int(plain(ctx["refs"])):
                    yield ctx


def describe(ctx):
    kind = KINDS[int(ctx["kind"])]
    text = f"{kind}  {int(ctx.address):#x}  {line(ctx['site'])}"
    if kind == "with_value":
        value = ctx.address.cast(gdb.lookup_type("struct value").pointer())
        text += f'  {value["key"]["name"].string()} = {int(value["value"]):#x}'
    elif kind in ("with_cancel", "with_deadline", "with_merge"):
        node = ctx.address.cast(gdb.lookup_type("struct node").pointer())
        error = int(plain(node["done"]["gate"]["closed"]))
        text += f"  done: {error}" if error else ""
    return text


# ---- The commands --------------------------------------------------------------------------------

class Belay(gdb.Command):
    """The tasks and contexts of a program that uses Belay."""

    def __init__(self):
        super().__init__("belay", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)


class BelayTasks(gdb.Command):
    """Every task: its number, address, state, what it waits for, and the line that spawned it."""

    def __init__(self):
        super().__init__("belay tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        all_tasks = numbered()
        for number, task in all_tasks:
            waits = task.waits_for()
            state = f"{task.state}: {waits}" if waits else task.state
            print(f"{number:<4} {task.address:#x}  {state:<24} {line(plain(task.value['site']))}")
        print(f"{len(all_tasks)} task{'' if len(all_tasks) == 1 else 's'}")


class BelayBacktrace(gdb.Command):
    """belay bt TASK|all: where a task is, by its number in "belay tasks" or its address."""

    def __init__(self):
        super().__init__("belay bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        wanted = argument.strip()
        if not wanted:
            raise gdb.GdbError("belay bt TASK|all")
        shown = [(number, task) for number, task in numbered()
                 if wanted in ("all", str(number)) or wanted == hex(task.address)]
        if not shown and wanted != "all":
            raise gdb.GdbError(f"no task {wanted}: see \"belay tasks\"")
        for number, task in shown:
            print(f"Task {number} ({task.state}), started at {line(plain(task.value['site']))}:")
            print(backtrace(task))


class BelayContexts(gdb.Command):
    """Every context that is alive, below its parent, with the line that made it."""

    def __init__(self):
        super().__init__("belay contexts", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        alive = {int(ctx.address): ctx for ctx in contexts()}
        below = {}
        for address, ctx in sorted(alive.items()):
            parent = int(ctx["parent"])
            below.setdefault(parent if parent in alive else 0, []).append(address)
        stack = [(address, 0) for address in reversed(below.get(0, []))]
        while stack:
            address, depth = stack.pop()
            print("  " * min(depth, 50) + describe(alive[address]))
            stack += [(child, depth + 1) for child in reversed(below.get(address, []))]
        print(f"{len(alive)} context{'' if len(alive) == 1 else 's'}")


for command in (Belay, BelayTasks, BelayBacktrace, BelayContexts):
    command()
