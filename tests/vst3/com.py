"""A VST3 host in ctypes, for what pedalboard cannot do: keys, a window of its own, playback in real time.

Interfaces are tables of functions. `call` calls a method by its place in the table, `Interface` makes a table of Python
functions. Places and identifiers are those of the VST3 SDK (pluginterfaces/).
"""

import ctypes as c
import select
import time
from pathlib import Path

import numpy as np

OK = 0
FALSE = 1
NO_INTERFACE = -1


def iid(text):
    """An identifier as 16 bytes, in the order of systems other than Windows."""
    return bytes.fromhex(text.replace(" ", ""))


UNKNOWN = iid("00000000 00000000 C0000000 00000046")
COMPONENT = iid("E831FF31 F2D54301 928EBBEE 25697802")
CONTROLLER = iid("DCD7BBE3 7742448D A874AACC 979C759E")
PROCESSOR = iid("42043F99 B7DA453C A569E79D 9AAEC33D")
COMPONENT_HANDLER = iid("93A0BEA3 0BD045DB 8E890B0C C1E46AC6")
COMPONENT_HANDLER_2 = iid("F040B4B3 A36045EC ABCDC045 B4D5A2CC")
PLUG_FRAME = iid("367FAF01 AFA94693 8D4DA2A0 ED0882A3")
RUN_LOOP = iid("18C35366 97764F1A 9C5B8385 7A871389")
CONTENT_SCALE = iid("65ED9690 8AC44525 8AADEF7A 72EA703F")
PARAMETER_CHANGES = iid("A4779663 0BB64A56 B44384A8 466FEB9D")
PARAMETER_QUEUE = iid("01263A18 ED074F6F 98C9D356 4686F9BA")
INFO_LISTENER = iid("0F194781 8D984ADA BBA0C1EF C011D8D0")
ATTRIBUTES = iid("1E5F0AEB CC7F4533 A2544011 38AD5EE4")

CAN_AUTOMATE, READ_ONLY, HIDDEN = 1 << 0, 1 << 1, 1 << 4

FLOAT_SAMPLES = 0
REALTIME, OFFLINE = 0, 2
PLAYING, TEMPO_VALID, CONTINUOUS_TIME_VALID = 1 << 1, 1 << 10, 1 << 17


def call(thing, place, *arguments, result=c.c_int32):
    """Calls the method at a place of the table. Arguments are ctypes values."""
    table = c.cast(thing, c.POINTER(c.POINTER(c.c_void_p)))[0]
    kinds = [type(argument) for argument in arguments]
    return c.CFUNCTYPE(result, c.c_void_p, *kinds)(table[place])(thing, *arguments)


def query(thing, identifier):
    """Another interface of the same object; none if it does not have it."""
    found = c.c_void_p()
    result = call(thing, 0, c.c_char_p(identifier), c.pointer(found))
    return found.value if result == OK else None


class Interface:
    """An object of the host. `others` are the interfaces that it also has, by identifier."""

    def __init__(self, identifier, methods, others=()):
        self.others = dict(others)
        self.others.update({identifier: self, UNKNOWN: self})

        def query_interface(_, wanted, found):
            other = self.others.get(c.string_at(wanted, 16))
            found[0] = other.pointer if other else None
            return OK if other else NO_INTERFACE

        kinds = [
            (c.c_int32, [c.c_void_p, c.POINTER(c.c_void_p)], query_interface),
            (c.c_uint32, [], lambda _: 1),
            (c.c_uint32, [], lambda _: 1),
            *methods,
        ]
        # Kept alive with the object: ctypes does not count references from tables.
        self.functions = [c.CFUNCTYPE(result, c.c_void_p, *arguments)(f) for result, arguments, f in kinds]
        self.table = (c.c_void_p * len(kinds))(*[c.cast(f, c.c_void_p) for f in self.functions])
        self.object = c.c_void_p(c.addressof(self.table))
        self.pointer = c.addressof(self.object)


class ViewRect(c.Structure):
    _fields_ = [(side, c.c_int32) for side in ("left", "top", "right", "bottom")]


class ClassInfo(c.Structure):
    _fields_ = [("cid", c.c_char * 16), ("cardinality", c.c_int32), ("category", c.c_char * 32), ("name", c.c_char * 64)]


class ParameterInfo(c.Structure):
    _fields_ = [
        ("id", c.c_uint32), ("title", c.c_uint16 * 128), ("short_title", c.c_uint16 * 128), ("units", c.c_uint16 * 128),
        ("steps", c.c_int32), ("default", c.c_double), ("unit", c.c_int32), ("flags", c.c_int32),
    ]


class Parameter:
    """What the controller says of a parameter."""

    def __init__(self, info, value, text):
        self.id, self.flags, self.value, self.text = info.id, info.flags, value, text
        self.name = utf16(info.title)


def utf16(units):
    return bytes(units).decode("utf-16-le").split("\0")[0]


class ProcessSetup(c.Structure):
    _fields_ = [("mode", c.c_int32), ("sample_size", c.c_int32), ("max_block", c.c_int32), ("rate", c.c_double)]


class BusBuffers(c.Structure):
    _fields_ = [("channels", c.c_int32), ("silence", c.c_uint64), ("buffers", c.POINTER(c.POINTER(c.c_float)))]


class ProcessContext(c.Structure):
    _fields_ = [
        ("state", c.c_uint32), ("rate", c.c_double), ("project_samples", c.c_int64), ("system_time", c.c_int64),
        ("continuous_samples", c.c_int64), ("music", c.c_double), ("bar", c.c_double), ("cycle_start", c.c_double),
        ("cycle_end", c.c_double), ("tempo", c.c_double), ("numerator", c.c_int32), ("denominator", c.c_int32),
        ("chord", c.c_uint8 * 4), ("smpte", c.c_int32), ("frame_rate", c.c_uint32 * 2), ("to_clock", c.c_int32),
    ]


class ProcessData(c.Structure):
    _fields_ = [
        ("mode", c.c_int32), ("sample_size", c.c_int32), ("frames", c.c_int32), ("inputs", c.c_int32),
        ("outputs", c.c_int32), ("input", c.POINTER(BusBuffers)), ("output", c.POINTER(BusBuffers)),
        ("parameters_in", c.c_void_p), ("parameters_out", c.c_void_p), ("events_in", c.c_void_p),
        ("events_out", c.c_void_p), ("context", c.POINTER(ProcessContext)),
    ]


class Plugin:
    """An instance, with its window in a window of `display`."""

    def __init__(self, bundle, display):
        library = next(Path(bundle).glob("Contents/*/*.so"))
        self.library = c.CDLL(str(library))
        self.library.ModuleEntry(c.c_void_p(self.library._handle))
        self.library.GetPluginFactory.restype = c.c_void_p
        factory = self.library.GetPluginFactory()
        info, made = ClassInfo(), c.c_void_p()
        assert call(factory, 5, c.c_int32(0), c.pointer(info)) == OK, "there is no class in the factory"
        identifier = c.c_char_p(bytes(info)[:16])
        created = call(factory, 6, identifier, c.c_char_p(COMPONENT), c.pointer(made))
        assert created == OK, "no instance can be created"
        self.component = made.value
        self.context = Interface(UNKNOWN, [])
        assert call(self.component, 3, c.c_void_p(self.context.pointer)) == OK, "the plugin does not initialize"
        self.controller = query(self.component, CONTROLLER)
        self.processor = query(self.component, PROCESSOR)
        self.display = display
        # What the plugin asked of the host: marks of a modified project, and edits of parameters, which hosts record.
        self.dirty, self.edits = 0, 0
        # What the plugin told of its parameters in blocks, by id.
        self.told = {}
        self._make_output()
        self.descriptors, self.timers = {}, {}
        self._make_handler()
        self._make_frame()
        self.view = None
        self.position = 0

    def _make_handler(self):
        def set_dirty(_, state):
            self.dirty += 1
            return OK

        def edit(*_):
            self.edits += 1
            return OK

        ok = lambda *_: OK
        self.handler_2 = Interface(COMPONENT_HANDLER_2, [
            (c.c_int32, [c.c_uint8], set_dirty),
            (c.c_int32, [c.c_char_p], ok),
            (c.c_int32, [], ok),
            (c.c_int32, [], ok),
        ])
        self.handler = Interface(COMPONENT_HANDLER, [
            (c.c_int32, [c.c_uint32], edit),
            (c.c_int32, [c.c_uint32, c.c_double], edit),
            (c.c_int32, [c.c_uint32], ok),
            (c.c_int32, [c.c_int32], ok),
        ], {COMPONENT_HANDLER_2: self.handler_2})
        call(self.controller, 16, c.c_void_p(self.handler.pointer))

    def _make_output(self):
        """What a block tells of parameters: `outputParameterChanges`."""

        def add_point(_, offset, value, index):
            self.told[self.queue_id] = value
            return OK

        def add_data(_, identifier, index):
            self.queue_id = identifier[0]
            return self.queue.pointer

        self.queue = Interface(PARAMETER_QUEUE, [
            (c.c_uint32, [], lambda _: self.queue_id),
            (c.c_int32, [], lambda _: 0),
            (c.c_int32, [c.c_int32, c.c_void_p, c.c_void_p], lambda *_: FALSE),
            (c.c_int32, [c.c_int32, c.c_double, c.c_void_p], add_point),
        ])
        self.output = Interface(PARAMETER_CHANGES, [
            (c.c_int32, [], lambda _: 0),
            (c.c_void_p, [c.c_int32], lambda *_: None),
            (c.c_void_p, [c.POINTER(c.c_uint32), c.c_void_p], add_data),
        ])

    def changes(self, values):
        """Parameters that the host sets with a block: `inputParameterChanges`, from a dictionary by id."""
        queues = []
        for identifier, value in values.items():

            def get_point(_, index, offset, to, value=value):
                offset[0], to[0] = 0, value
                return OK

            queues.append(Interface(PARAMETER_QUEUE, [
                (c.c_uint32, [], lambda _, identifier=identifier: identifier),
                (c.c_int32, [], lambda _: 1),
                (c.c_int32, [c.c_int32, c.POINTER(c.c_int32), c.POINTER(c.c_double)], get_point),
                (c.c_int32, [c.c_int32, c.c_double, c.c_void_p], lambda *_: FALSE),
            ]))
        changes = Interface(PARAMETER_CHANGES, [
            (c.c_int32, [], lambda _: len(queues)),
            (c.c_void_p, [c.c_int32], lambda _, index: queues[index].pointer),
            (c.c_void_p, [c.c_void_p, c.c_void_p], lambda *_: None),
        ])
        changes.queues = queues
        return changes

    def parameters(self):
        """All parameters, with their values and the texts that hosts show."""
        found = []
        for index in range(call(self.controller, 8)):
            info, text = ParameterInfo(), (c.c_uint16 * 128)()
            assert call(self.controller, 9, c.c_int32(index), c.pointer(info)) == OK, "a parameter without information"
            identifier = c.c_uint32(info.id)
            value = call(self.controller, 14, identifier, result=c.c_double)
            call(self.controller, 10, identifier, c.c_double(value), c.pointer(text))
            found.append(Parameter(info, value, utf16(text)))
        return found

    def name_track(self, name, colour):
        """Tells the plugin its track: a name, and a colour as 0xAARRGGBB."""
        units = (name + "\0").encode("utf-16-le")

        def get_int(_, key, to):
            if key != b"channel color":
                return FALSE
            to[0] = colour
            return OK

        def get_string(_, key, to, size):
            if key != b"channel name":
                return FALSE
            c.memmove(to, units, min(len(units), size))
            return OK

        attributes = Interface(ATTRIBUTES, [
            (c.c_int32, [c.c_char_p, c.c_int64], lambda *_: FALSE),
            (c.c_int32, [c.c_char_p, c.POINTER(c.c_int64)], get_int),
            (c.c_int32, [c.c_char_p, c.c_double], lambda *_: FALSE),
            (c.c_int32, [c.c_char_p, c.c_void_p], lambda *_: FALSE),
            (c.c_int32, [c.c_char_p, c.c_void_p], lambda *_: FALSE),
            (c.c_int32, [c.c_char_p, c.c_void_p, c.c_uint32], get_string),
            (c.c_int32, [c.c_char_p, c.c_void_p, c.c_uint32], lambda *_: FALSE),
            (c.c_int32, [c.c_char_p, c.c_void_p, c.c_void_p], lambda *_: FALSE),
        ])
        listener = query(self.controller, INFO_LISTENER)
        assert listener, "the plugin does not listen to names of tracks"
        assert call(listener, 3, c.c_void_p(attributes.pointer)) == OK, "the plugin does not take the name"

    def _make_frame(self):
        def register_descriptor(_, handler, descriptor):
            self.descriptors[descriptor] = handler
            return OK

        def unregister_descriptor(_, handler):
            self.descriptors = {fd: other for fd, other in self.descriptors.items() if other != handler}
            return OK

        def register_timer(_, handler, milliseconds):
            self.timers[handler] = [milliseconds / 1000, time.monotonic()]
            return OK

        def unregister_timer(_, handler):
            self.timers.pop(handler, None)
            return OK

        self.run_loop = Interface(RUN_LOOP, [
            (c.c_int32, [c.c_void_p, c.c_int32], register_descriptor),
            (c.c_int32, [c.c_void_p], unregister_descriptor),
            (c.c_int32, [c.c_void_p, c.c_uint64], register_timer),
            (c.c_int32, [c.c_void_p], unregister_timer),
        ])
        def resize(_, view, rect):
            asked = c.cast(rect, c.POINTER(ViewRect))[0]
            self.display.resize(asked.right - asked.left, asked.bottom - asked.top)
            return call(view, 10, c.c_void_p(rect))

        self.frame = Interface(
            PLUG_FRAME, [(c.c_int32, [c.c_void_p, c.c_void_p], resize)], {RUN_LOOP: self.run_loop}
        )

    def open(self, scale=None):
        """Opens the editor in a new window. `scale` is what the host suggests before, if it does. Returns the size that the
        plugin asked for."""
        self.view = call(self.controller, 17, c.c_char_p(b"editor"), result=c.c_void_p)
        assert self.view, "the plugin has no editor"
        call(self.view, 12, c.c_void_p(self.frame.pointer))
        if scale is not None:
            self.suggest(scale)
        width, height = self.size()
        self.window = self.display.open(width, height)
        attached = call(self.view, 4, c.c_void_p(self.window), c.c_char_p(b"X11EmbedWindowID"))
        assert attached == OK, f"the editor does not open: {attached}"
        return width, height

    def suggest(self, scale):
        """Suggests a scale to the view."""
        support = query(self.view, CONTENT_SCALE)
        assert support, "the view does not take a scale"
        assert call(support, 3, c.c_float(scale)) == OK, f"the view refuses the scale {scale}"

    def size(self):
        """The size of the view in pixels."""
        rect = ViewRect()
        assert call(self.view, 9, c.pointer(rect)) == OK, "the view has no size"
        return rect.right - rect.left, rect.bottom - rect.top

    def close(self):
        """Closes the editor. It can be opened again."""
        call(self.view, 5)
        call(self.view, 12, c.c_void_p(None))
        call(self.view, 2, result=c.c_uint32)
        self.view = None
        self.display.close(self.window)

    def end(self):
        """Removes the instance."""
        call(self.controller, 16, c.c_void_p(None))
        call(self.component, 4)
        for thing in (self.processor, self.controller, self.component):
            call(thing, 2, result=c.c_uint32)
        if self.display:
            self.display.end()

    def pump(self, seconds):
        """Runs the host's event loop."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ready, _, _ = select.select(list(self.descriptors), [], [], 0.01)
            for descriptor in ready:
                if descriptor in self.descriptors:
                    call(self.descriptors[descriptor], 3, c.c_int32(descriptor), result=None)
            for handler, timer in list(self.timers.items()):
                if handler in self.timers and time.monotonic() - timer[1] >= timer[0]:
                    timer[1] = time.monotonic()
                    call(handler, 3, result=None)

    def key(self, character="", code=0, modifiers=0):
        """Presses and releases a key as REAPER does. Returns whether the plugin took press and release."""
        unit = c.c_uint16(ord(character) if character else 0)
        taken = []
        for place in (7, 8):
            taken.append(call(self.view, place, unit, c.c_int16(code), c.c_int16(modifiers)) == OK)
            self.pump(0.03)
        return taken

    def activate(self, rate, mode, block):
        """Prepares for audio."""
        setup = ProcessSetup(mode, FLOAT_SAMPLES, block, rate)
        assert call(self.processor, 7, c.pointer(setup)) == OK, "the plugin refuses the rate"
        for direction in (0, 1):
            call(self.component, 10, c.c_int32(0), c.c_int32(direction), c.c_int32(0), c.c_uint8(1))
        assert call(self.component, 11, c.c_uint8(1)) == OK, "the plugin does not become active"
        call(self.processor, 8, c.c_uint8(1))
        self.rate, self.mode = rate, mode

    def deactivate(self):
        call(self.processor, 8, c.c_uint8(0))
        call(self.component, 11, c.c_uint8(0))

    def play(self, sound, is_playing=True, sets=None):
        """One block of two channels; returns the output. `sets` are parameters that the host sets with it."""
        sound = np.ascontiguousarray(sound, np.float32)
        output = np.full_like(sound, -123.0)
        pointers = []
        for array in (sound, output):
            channels = (c.POINTER(c.c_float) * 2)(*[row.ctypes.data_as(c.POINTER(c.c_float)) for row in array])
            pointers.append((channels, BusBuffers(2, 0, channels)))
        state = TEMPO_VALID | CONTINUOUS_TIME_VALID | (PLAYING if is_playing else 0)
        context = ProcessContext(
            state=state, rate=self.rate, project_samples=self.position, continuous_samples=self.position, tempo=120.0
        )
        changes = self.changes(sets) if sets else None
        data = ProcessData(
            self.mode, FLOAT_SAMPLES, sound.shape[1], 1, 1, c.pointer(pointers[0][1]), c.pointer(pointers[1][1]),
            changes.pointer if changes else None, self.output.pointer, None, None, c.pointer(context),
        )
        assert call(self.processor, 9, c.pointer(data)) == OK, "process failed"
        self.position += sound.shape[1] if is_playing else 0
        return output
