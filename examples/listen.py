#!/usr/bin/env python3
"""Waits for the wake phrase and records the command that follows it, until the speaker pauses.

    listen.py FOLDER        one WAV file a command, without end
    listen.py --once FOLDER

Needs a running daemon (`wakeword run`), and PyGObject (Debian: python3-gi).
"""
import argparse
import array
import os
import time
import wave

from gi.repository import Gio, GLib

NAME, PATH = "org.wakeword.Wakeword1", "/org/wakeword/Wakeword1"
INTERFACE = NAME + ".Daemon"
RATE = 16000  # samples a second: mono, 16 bits
PREROLL = 4000  # ms of the past to ask for: all of the phrase, and what was said before its signal came
PAUSE, SHORTEST, LONGEST = 0.8, 1.0, 10.0  # seconds: of quiet that end a command, and its least and most length


def call(bus, method, arguments, result):
    """A method of the daemon; its result, and the file descriptors that came with it."""
    return bus.call_with_unix_fd_list_sync(
        NAME, PATH, INTERFACE, method, arguments, GLib.VariantType(result), Gio.DBusCallFlags.NONE, 5000, None, None
    )


def loudness(samples):
    return max(1, sum(x * x for x in samples) / max(1, len(samples))) ** 0.5


def record(bus, path):
    """The audio after the phrase, until a pause. The pipe is closed at the end, which tells the daemon to stop."""
    (handle, info), descriptors = call(bus, "OpenAudio", GLib.Variant("(u)", (PREROLL,)), "(ha{sv})")
    with os.fdopen(descriptors.get(handle), "rb") as pipe:
        # The place of the phrase is known: what follows it is the command.
        start, end = info.get("phrase_start", 0), info.get("phrase_end", info["preroll_samples"])
        past = array.array("h", pipe.read(2 * end))
        level = loudness(past[start:]) / 10
        command, quiet = bytearray(), 0.0
        while len(command) < LONGEST * 2 * RATE:
            block = pipe.read(2 * RATE // 50)
            if not block:
                break
            command += block
            quiet = quiet + 0.02 if loudness(array.array("h", block)) < level else 0.0
            if quiet >= PAUSE and len(command) >= SHORTEST * 2 * RATE:
                break
    with wave.open(path, "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
        out.writeframes(command)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--once", action="store_true", help="end after the first command")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    bus, loop = Gio.bus_get_sync(Gio.BusType.SESSION), GLib.MainLoop()

    def detected(_bus, _sender, _path, _interface, _signal, arguments):
        profile, details = arguments.unpack()
        path = os.path.join(options.folder, time.strftime("%Y%m%d-%H%M%S.wav"))
        record(bus, path)
        print(f"{details['user']} said {details['phrase']!r} ({profile}); the command is in {path}", flush=True)
        if options.once:
            loop.quit()

    bus.signal_subscribe(NAME, INTERFACE, "Detected", PATH, None, Gio.DBusSignalFlags.NONE, detected)
    print("waiting for a phrase", flush=True)
    loop.run()


if __name__ == "__main__":
    main()
