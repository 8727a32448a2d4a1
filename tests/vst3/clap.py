"""A CLAP host in ctypes, for its editor: windows, scales, the track. The Rust tests have a host for everything else.

Structures are those of the CLAP headers, version 1.2.
"""

import ctypes as c
import time
from pathlib import Path

INVALID = 0xFFFFFFFF


class Version(c.Structure):
    _fields_ = [(part, c.c_uint32) for part in ("major", "minor", "revision")]


class Host(c.Structure):
    pass


GET_EXTENSION = c.CFUNCTYPE(c.c_void_p, c.POINTER(Host), c.c_char_p)
REQUEST = c.CFUNCTYPE(None, c.POINTER(Host))
Host._fields_ = [
    ("version", Version), ("data", c.c_void_p), ("name", c.c_char_p), ("vendor", c.c_char_p), ("url", c.c_char_p),
    ("host_version", c.c_char_p), ("get_extension", GET_EXTENSION), ("request_restart", REQUEST),
    ("request_process", REQUEST), ("request_callback", REQUEST),
]


class Descriptor(c.Structure):
    _fields_ = [("version", Version), ("id", c.c_char_p), ("name", c.c_char_p)]


class Instance(c.Structure):
    _fields_ = [("descriptor", c.c_void_p), ("data", c.c_void_p)] + [
        (name, c.c_void_p)
        for name in (
            "init", "destroy", "activate", "deactivate", "start_processing", "stop_processing", "reset", "process",
            "get_extension", "on_main_thread",
        )
    ]


class Factory(c.Structure):
    _fields_ = [(name, c.c_void_p) for name in ("count", "descriptor", "create")]


class Entry(c.Structure):
    _fields_ = [("version", Version), ("init", c.c_void_p), ("deinit", c.c_void_p), ("get_factory", c.c_void_p)]


class Gui(c.Structure):
    _fields_ = [
        (name, c.c_void_p)
        for name in (
            "is_api_supported", "get_preferred_api", "create", "destroy", "set_scale", "get_size", "can_resize",
            "get_resize_hints", "adjust_size", "set_size", "set_parent", "set_transient", "suggest_title", "show", "hide",
        )
    ]


class HostGui(c.Structure):
    _fields_ = [
        ("resize_hints_changed", REQUEST),
        ("request_resize", c.CFUNCTYPE(c.c_bool, c.POINTER(Host), c.c_uint32, c.c_uint32)),
        ("request_show", c.CFUNCTYPE(c.c_bool, c.POINTER(Host))),
        ("request_hide", c.CFUNCTYPE(c.c_bool, c.POINTER(Host))),
        ("closed", c.CFUNCTYPE(None, c.POINTER(Host), c.c_bool)),
    ]


class HostParams(c.Structure):
    _fields_ = [
        ("rescan", c.CFUNCTYPE(None, c.POINTER(Host), c.c_uint32)),
        ("clear", c.CFUNCTYPE(None, c.POINTER(Host), c.c_uint32, c.c_uint32)),
        ("request_flush", REQUEST),
    ]


class TrackInfo(c.Structure):
    _fields_ = [
        ("flags", c.c_uint64), ("name", c.c_char * 256), ("color", c.c_uint8 * 4), ("channels", c.c_int32),
        ("port_type", c.c_char_p),
    ]


class ParamInfo(c.Structure):
    _fields_ = [
        ("id", c.c_uint32), ("flags", c.c_uint32), ("cookie", c.c_void_p), ("name", c.c_char * 256),
        ("module", c.c_char * 1024), ("low", c.c_double), ("high", c.c_double), ("default", c.c_double),
    ]


class HostTrackInfo(c.Structure):
    _fields_ = [("get", c.CFUNCTYPE(c.c_bool, c.POINTER(Host), c.POINTER(TrackInfo)))]


class Window(c.Structure):
    _fields_ = [("api", c.c_char_p), ("x11", c.c_ulong)]


HAS_NAME, HAS_COLOUR = 1 << 0, 1 << 1


def function(pointer, result, *arguments):
    return c.CFUNCTYPE(result, *arguments)(pointer)


class Plugin:
    """An instance, with its window in a window of `display`."""

    def __init__(self, bundle, display):
        self.display = display
        self.track = None
        self.wants_callback = False
        self.library = c.CDLL(str(bundle))
        entry = Entry.in_dll(self.library, "clap_entry")
        assert function(entry.init, c.c_bool, c.c_char_p)(str(Path(bundle)).encode()), "the CLAP does not initialize"
        factory = function(entry.get_factory, c.POINTER(Factory), c.c_char_p)(b"clap.plugin-factory").contents
        descriptor = function(factory.descriptor, c.POINTER(Descriptor), c.c_void_p, c.c_uint32)
        self.factory = c.pointer(factory)
        identifier = descriptor(c.addressof(factory), 0).contents.id
        self._make_host()
        create = function(factory.create, c.POINTER(Instance), c.c_void_p, c.POINTER(Host), c.c_char_p)
        self.instance = create(c.addressof(factory), c.byref(self.host), identifier)
        assert self.instance, "no instance can be created"
        assert self._call("init", c.c_bool), "the plugin does not initialize"
        gui = function(self.instance.contents.get_extension, c.POINTER(Gui), c.c_void_p, c.c_char_p)
        self.gui = gui(self.instance, b"clap.gui").contents

    def _make_host(self):
        def resize(_, width, height):
            self.display.resize(width, height)
            return True

        def track(_, info):
            if self.track is None:
                return False
            name, (red, green, blue) = self.track
            info[0].flags = HAS_NAME | HAS_COLOUR
            info[0].name = name.encode()
            # Alpha comes first.
            info[0].color[:] = [255, red, green, blue]
            return True

        def callback(_):
            self.wants_callback = True

        nothing = lambda *_: None
        yes = lambda *_: True
        kinds = dict(HostGui._fields_)
        self.host_gui = HostGui(
            REQUEST(nothing), kinds["request_resize"](resize), kinds["request_show"](yes), kinds["request_hide"](yes),
            kinds["closed"](nothing),
        )
        kinds = dict(HostParams._fields_)
        self.host_params = HostParams(kinds["rescan"](nothing), kinds["clear"](nothing), REQUEST(nothing))
        self.host_track = HostTrackInfo(dict(HostTrackInfo._fields_)["get"](track))
        extensions = {
            b"clap.gui": self.host_gui, b"clap.params": self.host_params, b"clap.track-info/1": self.host_track,
        }

        def extension(_, name):
            found = extensions.get(name)
            return c.addressof(found) if found is not None else None

        self.host = Host(
            Version(1, 2, 2), None, b"MixingBuddy's tests", b"MixingBuddy", b"", b"1", GET_EXTENSION(extension),
            REQUEST(nothing), REQUEST(nothing), REQUEST(callback),
        )

    def _call(self, name, result=None, *arguments):
        kinds = [type(argument) for argument in arguments]
        method = getattr(self.instance.contents, name)
        return function(method, result, c.c_void_p, *kinds)(self.instance, *arguments)

    def _show(self, name, *arguments):
        """Calls a function of the editor."""
        kinds = [type(argument) for argument in arguments]
        done = function(getattr(self.gui, name), c.c_bool, c.c_void_p, *kinds)(self.instance, *arguments)
        assert done, f"the editor refuses {name}"

    def name_track(self, name, colour):
        """Tells the plugin its track: a name, and a colour as 0xAARRGGBB."""
        self.track = name, (colour >> 16 & 255, colour >> 8 & 255, colour & 255)
        changed = function(self.instance.contents.get_extension, c.POINTER(c.c_void_p), c.c_void_p, c.c_char_p)
        listener = changed(self.instance, b"clap.track-info/1")
        assert listener, "the plugin does not listen to names of tracks"
        function(listener[0], None, c.c_void_p)(self.instance)

    def _extension(self, name):
        """The functions of an extension of the plugin, as pointers."""
        get = function(self.instance.contents.get_extension, c.POINTER(c.c_void_p), c.c_void_p, c.c_char_p)
        found = get(self.instance, name)
        assert found, f"the plugin has no {name.decode()}"
        return found

    def param_id(self, name):
        """The number of the parameter with this name."""
        params = self._extension(b"clap.params")
        count = function(params[0], c.c_uint32, c.c_void_p)(self.instance)
        get_info = function(params[1], c.c_bool, c.c_void_p, c.c_uint32, c.POINTER(ParamInfo))
        for index in range(count):
            info = ParamInfo()
            if get_info(self.instance, index, c.byref(info)) and info.name.decode() == name:
                return info.id
        raise AssertionError(f"no parameter {name}")

    def map(self, name, label):
        """Says what a parameter is mapped to; nothing if there is no label."""
        set_mapping = function(
            self._extension(b"clap.param-indication/4")[0], None, c.c_void_p, c.c_uint32, c.c_bool, c.c_void_p, c.c_char_p, c.c_char_p
        )
        text = None if label is None else label.encode()
        set_mapping(self.instance, self.param_id(name), label is not None, None, text, text)

    def automate(self, name, state):
        """Says how a parameter is automated: 0 not at all, 1 present, 2 playing, 3 recording, 4 overridden."""
        set_automation = function(
            self._extension(b"clap.param-indication/4")[1], None, c.c_void_p, c.c_uint32, c.c_uint32, c.c_void_p
        )
        set_automation(self.instance, self.param_id(name), state, None)

    def open(self, scale=None):
        """Opens the editor in a new window. `scale` is what the host suggests, if it does. Returns the size that the plugin
        asked for."""
        self._show("create", c.c_char_p(b"x11"), c.c_bool(False))
        if scale is not None:
            self.suggest(scale)
        width, height = self.size()
        self.window = self.display.open(width, height)
        window = Window(b"x11", self.window)
        self._show("set_parent", c.pointer(window))
        self._show("show")
        return width, height

    def suggest(self, scale):
        """Suggests a scale to the editor."""
        self._show("set_scale", c.c_double(scale))

    def size(self):
        """The size of the editor in pixels."""
        width, height = c.c_uint32(), c.c_uint32()
        self._show("get_size", c.pointer(width), c.pointer(height))
        return width.value, height.value

    def close(self):
        """Closes the editor. It can be opened again."""
        function(self.gui.destroy, None, c.c_void_p)(self.instance)
        self.display.close(self.window)

    def end(self):
        """Removes the instance."""
        self._call("destroy")
        self.display.end()

    def pump(self, seconds):
        """Runs the host's event loop."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.01)
            if self.wants_callback:
                self.wants_callback = False
                self._call("on_main_thread")
