"""Windows, the pointer and keys of an X server, in ctypes."""

import ctypes as c
import time


class Display:
    """Windows, the pointer and keys of an X server."""

    def __init__(self, name):
        self.x, self.test = c.CDLL("libX11.so.6"), c.CDLL("libXtst.so.6")
        self.x.XOpenDisplay.restype = c.c_void_p
        for function in ("XDefaultRootWindow", "XCreateSimpleWindow"):
            getattr(self.x, function).restype = c.c_ulong
        self.handle = c.c_void_p(self.x.XOpenDisplay(name.encode()))
        assert self.handle.value, "no connection to the screen"

    def open(self, width, height):
        root = c.c_ulong(self.x.XDefaultRootWindow(self.handle))
        window = self.x.XCreateSimpleWindow(
            self.handle, root, 0, 0, width, height, 0, c.c_ulong(0), c.c_ulong(0)
        )
        self.x.XMapWindow(self.handle, c.c_ulong(window))
        # Away from all widgets, which would show their tooltips.
        none = c.c_ulong(0)
        self.x.XWarpPointer(self.handle, none, root, 0, 0, c.c_uint(0), c.c_uint(0), 1, 1)
        self.x.XSync(self.handle, 0)
        # The window manager puts it somewhere.
        time.sleep(0.5)
        self.window = c.c_ulong(window)
        return window

    def resize(self, width, height):
        """Resizes the window that was opened last."""
        self.x.XResizeWindow(self.handle, self.window, c.c_uint(width), c.c_uint(height))
        self.x.XSync(self.handle, 0)

    def set_dpi(self, dpi):
        """Sets `Xft.dpi`, as desktops do; none removes it."""
        root = c.c_ulong(self.x.XDefaultRootWindow(self.handle))
        text = f"Xft.dpi:\t{dpi}\n".encode() if dpi else b""
        resources, string = (c.c_ulong(atom) for atom in (23, 31))
        replace = c.c_int(0)
        self.x.XChangeProperty(self.handle, root, resources, string, c.c_int(8), replace, c.c_char_p(text), c.c_int(len(text)))
        self.x.XSync(self.handle, 0)

    def place(self):
        """Where the window that was opened last lies on the screen."""
        root = c.c_ulong(self.x.XDefaultRootWindow(self.handle))
        x, y, child = c.c_int(), c.c_int(), c.c_ulong()
        self.x.XTranslateCoordinates(
            self.handle, self.window, root, c.c_int(0), c.c_int(0), c.byref(x), c.byref(y), c.byref(child)
        )
        return x.value, y.value

    def count(self):
        """Number of windows of the screen, with those in them."""
        def below(window):
            first, second, children, number = c.c_ulong(), c.c_ulong(), c.POINTER(c.c_ulong)(), c.c_uint()
            if not self.x.XQueryTree(self.handle, c.c_ulong(window), c.byref(first), c.byref(second), c.byref(children), c.byref(number)):
                return 0
            windows = [children[index] for index in range(number.value)]
            if number.value:
                self.x.XFree(children)
            return len(windows) + sum(below(window) for window in windows)

        return below(self.x.XDefaultRootWindow(self.handle))

    def close(self, window):
        self.x.XDestroyWindow(self.handle, c.c_ulong(window))
        self.x.XSync(self.handle, 0)

    def end(self):
        """Ends the connection: Xlib ends the program if the server goes first."""
        self.x.XCloseDisplay(self.handle)

    def click(self, x, y):
        """Clicks at a place of the window that was opened last."""
        none = c.c_ulong(0)
        self.x.XWarpPointer(self.handle, none, self.window, 0, 0, c.c_uint(0), c.c_uint(0), x, y)
        for is_down in (1, 0):
            self.test.XTestFakeButtonEvent(self.handle, 1, is_down, c.c_ulong(30))
        self.x.XSync(self.handle, 0)

    def press(self, symbol, shift=False):
        """Presses a key by the number of its symbol."""
        codes = [self.x.XKeysymToKeycode(self.handle, c.c_ulong(symbol)) & 0xFF]
        if shift:
            codes.insert(0, self.x.XKeysymToKeycode(self.handle, c.c_ulong(0xFFE1)) & 0xFF)
        for code in codes:
            self.test.XTestFakeKeyEvent(self.handle, code, 1, c.c_ulong(0))
        for code in reversed(codes):
            self.test.XTestFakeKeyEvent(self.handle, code, 0, c.c_ulong(0))
        self.x.XSync(self.handle, 0)
