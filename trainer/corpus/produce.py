"""From notes to a finished song: instruments, effects, vocals, balance."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import dsp
import fluid
from common import PEAK, RATE, Skip, db, loud_db, loudest, write_song
from kits import Drummer, sampled_kit
from notes import humanise
from packages import BANKS, ELECTRONIC, KITS, SF2, TUNES
from recorded import DRY_GUITARS, INSTRUMENTS, RecordedDrums, RecordedStrings, full
from synths import GrowlPatch, SamplePatch, StringPatch, SynthPatch
from voices import vocals

# Level of each stem against the rest of the mix, dB RMS: mean of a normal draw
BALANCE = {"vocals": -5.0, "drums": -4.0, "bass": -7.0, "other": 0.0}
SPREAD = 3.0
SILENT = 1e-4

GUITARS = range(24, 32)
MACHINE_STYLES = ("edm", "trap", "growl")
# General MIDI's choirs and synthetic voices, and the program that plays their notes instead: they are recordings of
# singers, and an accompaniment that sings teaches the encoder that singing is accompaniment.
VOICES = {52: 48, 53: 49, 54: 50, 85: 80, 91: 88}
GM_KITS = (0, 8, 16, 24, 25, 32, 40)


class Credits:
    """Sources that were used for one song."""

    def __init__(self):
        self.banks, self.kits, self.licences, self.names = [], [], set(), []

    def bank(self, name):
        _, _, licence, who = BANKS[name]
        self._add(self.banks, name, licence, who)

    def kit(self, name):
        if name in KITS:
            self._add(self.kits, name, *KITS[name][1:])
        else:
            self._add(self.kits, name, "CC0-1.0", "")

    def recording(self, kind, folder):
        """A folder of DATA/kits or DATA/loops."""
        song = json.loads((Path(folder) / "song.json").read_text())
        self._add(self.kits, f"{kind}/{Path(folder).name}", song["licence"], song["credit"])

    def _add(self, names, name, licence, who):
        if name not in names:
            names.append(name)
            self.licences.add(licence)
            if who:
                self.names.append(f"{name}: {who} ({licence})")


@dataclass
class Session:
    """What the players of one song share: its split, its credits, the folders of its recorded instruments by part
    ("drums", "bass", "guitar"), and finished audio by stem that is played in their place."""

    split: str
    credits: Credits
    band: dict = field(default_factory=dict)
    given: dict = field(default_factory=dict)

    def recorded(self, part):
        """Folder of the recorded instrument of a part, credited; None where the part is played otherwise."""
        folder = self.band.get(part)
        if folder:
            self.credits.recording("kits", folder)
        return folder


def pick_bank(rng, split, credits):
    names = [n for n, b in BANKS.items() if b[1] == split]
    weights = np.array([0.12 if n == "opl3" else 1.0 for n in names])
    name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    credits.bank(name)
    return BANKS[name][0]


def family_map(rng, notes, bank, change=0.6):
    """Replaces some of the programs by another of the same General MIDI family."""
    known = {p for number, p, _ in fluid.presets(bank) if number == 0}
    out = {}
    for program in sorted({n.program for n in notes}):
        if rng.random() < change:
            choices = [p for p in range(program // 8 * 8, program // 8 * 8 + 8) if p in known]
            if program in (29, 30):
                choices = [p for p in (29, 30) if p in known]
            if choices:
                out[program] = int(rng.choice(choices))
        played = out.get(program, program)
        if played in VOICES:
            out[program] = VOICES[played]
    return out


# ---- drums ------------------------------------------------------------------


def drums(rng, notes, controls, seconds, style, session):
    """Renders channel 10 with a recorded kit, a soundfont kit, a sampled kit or a synthetic one."""
    split, credits = session.split, session.credits
    notes = humanise(notes, rng, rng.uniform(0.001, 0.008), rng.uniform(3, 12))
    names = [n for n, k in KITS.items() if k[0] == split]
    electronic = [n for n in names if n in ELECTRONIC]
    acoustic = [n for n in names if n not in ELECTRONIC]
    folder = session.recorded("drums")
    if folder:
        return recorded_drums(rng, notes, seconds, folder, acoustic, session)
    draw = rng.random()
    is_edm = style in MACHINE_STYLES
    if draw < (0.6 if is_edm else 0.06):
        flavour = "trap" if style == "trap" else str(rng.choice(["house", "industrial"]))
        swap = electronic if rng.random() < 0.5 else []
        player = Drummer(rng, None, swap, 0.4, flavour)
    elif is_edm or draw < 0.14:
        player = Drummer(rng, str(rng.choice(electronic)), electronic, 0.4)
    elif draw < 0.40:
        bank = pick_bank(rng, split, credits)
        numbers = [p for number, p, _ in fluid.presets(bank) if number == 128 and (p in GM_KITS or p < 24)]
        kit = (128, int(rng.choice(numbers)))
        credits.kits.append(f"{Path(bank).stem} {kit[1]}")
        return fluid.synth_for(bank).render(notes, [], seconds, kit=kit)
    else:
        name = str(rng.choice(acoustic))
        if name.endswith(".sf2"):
            credits.kit(name)
            return fluid.synth_for(SF2 + name).render(notes, [], seconds, kit=(0, 0))
        sampled = [n for n in acoustic if not n.endswith(".sf2")]
        player = Drummer(rng, name, sampled, 0.3)
    for name in player.used:
        credits.kit(name)
    return player.play(notes, seconds)


def recorded_drums(rng, notes, seconds, folder, acoustic, session):
    parent = Path(folder).parent
    others = [str(parent / n) for n, entry in INSTRUMENTS.items() if entry == ("drums", session.split) and n != Path(folder).name and (parent / n).is_dir()]
    stand_in = str(rng.choice([n for n in acoustic if not n.endswith(".sf2") and {"crash", "ride"} <= set(sampled_kit(n))]))
    player = RecordedDrums(rng, folder, others, stand_in)
    audio = player.play(notes, seconds)
    for name in player.used[1:]:
        if name in KITS:
            session.credits.kit(name)
        else:
            session.credits.recording("kits", parent / name)
    return audio


def process_drums(rng, audio, style):
    audio = dsp.width(audio, rng.uniform(0.4, 1.3))
    audio = dsp.random_eq(audio, rng, 3)
    if rng.random() < 0.5:
        audio = dsp.transient(audio, rng.uniform(-5, 7))
    if rng.random() < 0.6:
        audio = dsp.compress(audio, rng.uniform(10, 25), rng.uniform(4, 12), 0.002, rng.uniform(0.05, 0.2), rng.uniform(0.15, 0.6))
    if rng.random() < 0.35:
        audio = dsp.drive(audio, rng.uniform(-4, 10))
    if rng.random() < 0.8:
        dry = style in MACHINE_STYLES
        length = rng.uniform(0.15, 0.5) if dry else rng.uniform(0.2, 1.4)
        audio = dsp.reverb(audio, rng, length, rng.uniform(-26, -14 if dry else -7), rng.uniform(3500, 9000))
    return audio


# ---- bass -------------------------------------------------------------------


def bass(rng, notes, controls, seconds, style, session):
    """Renders the bass line with a recorded bass, a soundfont, a plucked string or a synth."""
    split, credits = session.split, session.credits
    notes = humanise(notes, rng, rng.uniform(0.001, 0.009), rng.uniform(3, 10))
    folder = session.recorded("bass")
    if folder:
        return full(RecordedStrings(rng, folder).play(notes, seconds), rng)
    draw = rng.random()
    if split == "train" and rng.random() < (0.35 if style in ("trap", "edm", "hiphop") else 0.12):
        patch = SamplePatch(rng)
        credits.kit(patch.kit)
        return patch.play(notes, seconds)
    if style == "growl" and draw < 0.7:
        return GrowlPatch(rng).play(notes, seconds)
    if style == "trap" or (style in ("edm", "growl") and draw < 0.85) or (style == "hiphop" and draw < 0.3):
        patch = SynthPatch(rng, "sub" if style in ("trap", "hiphop") and draw < 0.85 else "bass")
        return patch.play(notes, seconds)
    if draw < 0.05:
        return SynthPatch(rng, "bass").play(notes, seconds)
    if draw < 0.30:
        return StringPatch(rng, "bass").play(notes, seconds)
    bank = pick_bank(rng, split, credits)
    choices = {"metal": (33, 34, 34), "rock": (33, 34, 34, 36), "jazz": (32, 32, 35, 33)}.get(style, (32, 33, 33, 34, 35, 36, 37, 38, 39))
    program = int(rng.choice(choices))
    programs = {p: program for p in range(128)}
    return fluid.synth_for(bank).render(notes, controls, seconds, programs, width=0.2)


def process_bass(rng, audio, style):
    audio = dsp.width(audio, float(rng.choice([0.0, 0.0, 0.3, 0.8])))
    audio = dsp.highpass(audio, rng.uniform(25, 45))
    audio = dsp.random_eq(audio, rng, 3)
    audio = dsp.peak(audio, rng.uniform(700, 1500), rng.normal(0, 3), 0.9)
    dirty = {"metal": 0.85, "rock": 0.6, "edm": 0.5, "trap": 0.5}.get(style, 0.3)
    if rng.random() < dirty:
        grit = dsp.drive(audio, rng.uniform(6, 26 if style == "metal" else 16))
        grit = dsp.cabinet(grit, rng) if rng.random() < 0.5 else dsp.lowpass(grit, rng.uniform(2000, 7000))
        clean = dsp.lowpass(audio, rng.uniform(200, 600))
        audio = clean + grit * rng.uniform(0.2, 1.0)
    elif rng.random() < 0.5:
        audio = dsp.lowpass(audio, rng.uniform(1200, 6000))
    audio = dsp.compress(audio, rng.uniform(4, 14), rng.uniform(2, 6), 0.008, rng.uniform(0.08, 0.3))
    if rng.random() < 0.15:
        audio = dsp.widen(audio, rng)
    if rng.random() < 0.15:
        audio = dsp.reverb(audio, rng, rng.uniform(0.2, 0.8), rng.uniform(-26, -16), 3000)
    return audio


# ---- other ------------------------------------------------------------------


def groups_of(notes, rng):
    """Splits the remaining notes into guitars, leads and the rest, by channel."""
    groups = {}
    for channel in sorted({n.channel for n in notes}):
        part = [n for n in notes if n.channel == channel]
        programs = [n.program for n in part]
        main = max(set(programs), key=programs.count)
        name = "guitar" if main in GUITARS else "lead" if 56 <= main < 88 else f"keys{rng.integers(2)}"
        groups.setdefault(name, []).extend(part)
    return groups


def guitar(rng, notes, controls, seconds, style, session):
    """Guitars: from the bank's own sounds, or re-amped from clean, single or doubled."""
    heavy = style == "metal" or any(n.program in (29, 30) for n in notes)
    dirty = heavy or (style in ("rock", "punk") and rng.random() < 0.7) or rng.random() < 0.15
    folder = session.recorded("guitar")
    if folder:
        return recorded_guitar(rng, notes, seconds, folder, heavy, dirty)
    reamp = dirty and rng.random() < 0.7
    bank = pick_bank(rng, session.split, session.credits)
    source = {p: int(rng.choice([25, 26, 27, 27, 28])) for p in range(128)} if reamp else family_map(rng, notes, bank)
    plucked = rng.random() < 0.25
    takes = 2 if rng.random() < (0.75 if heavy else 0.35) else 1
    out = 0
    for take in range(takes):
        played = humanise(notes, rng, rng.uniform(0.004, 0.012), rng.uniform(3, 10))
        if plucked:
            dry = StringPatch(rng, "guitar").play(played, seconds)
        else:
            dry = fluid.synth_for(bank).render(played, controls, seconds, source, width=0.2 if takes > 1 else 1)
        if np.abs(dry).max() < SILENT:
            return dry
        if reamp or (plucked and dirty):
            dry = dsp.distort(dry, rng, heavy)
        elif dirty:
            dry = dsp.peak(dry, rng.uniform(1500, 4000), rng.uniform(-3, 5))
        else:
            dry = dsp.compress(dry, rng.uniform(3, 10), 3)
        if takes == 2:
            side = rng.uniform(0.5, 1.0)
            dry = dsp.pan(dsp.width(dry, 0.2), side if take else -side)
        out = out + dry
    if not dirty and rng.random() < 0.4:
        out = dsp.widen(out, rng)
    return out


def recorded_guitar(rng, notes, seconds, folder, heavy, dirty):
    """A recorded guitar: acoustic, or from its pickup through an amplifier, single or doubled."""
    name = Path(folder).name
    electric = name in DRY_GUITARS or (name == "shinyguitar" and (dirty or rng.random() < 0.4))
    way = ("archtop_pickup" if electric else "archtop_mic",) if name == "shinyguitar" else None
    palm = heavy and rng.random() < 0.5
    takes = 2 if rng.random() < (0.75 if heavy else 0.35) else 1
    out = 0
    for take in range(takes):
        played = humanise(notes, rng, rng.uniform(0.004, 0.012), rng.uniform(3, 10))
        audio = RecordedStrings(rng, folder, way, palm).play(played, seconds)
        if electric and dirty:
            audio = dsp.distort(audio, rng, heavy)
        elif electric:
            audio = dsp.cabinet(dsp.drive(audio, rng.uniform(-6, 6)), rng)
        audio = dsp.compress(audio, rng.uniform(3, 10), 3)
        if takes == 2:
            side = rng.uniform(0.5, 1.0)
            audio = dsp.pan(audio, side if take else -side)
        out = out + audio
    if not dirty and rng.random() < 0.4:
        out = dsp.widen(out, rng)
    return out


def keys(rng, notes, controls, seconds, style, session):
    notes = humanise(notes, rng, rng.uniform(0.002, 0.01), rng.uniform(3, 10))
    if style in MACHINE_STYLES and rng.random() < 0.6:
        sustained = np.median([n.end - n.start for n in notes]) > 0.7
        return SynthPatch(rng, "pad" if sustained else "lead").play(notes, seconds)
    bank = pick_bank(rng, session.split, session.credits)
    audio = fluid.synth_for(bank).render(notes, controls, seconds, family_map(rng, notes, bank), width=rng.uniform(0.5, 1.4))
    if rng.random() < 0.25:
        audio = dsp.widen(audio, rng)
    if rng.random() < 0.15:
        audio = dsp.drive(audio, rng.uniform(0, 12))
    return audio


def other(rng, notes, controls, seconds, style, session):
    """The accompaniment: each group is rendered, processed and levelled separately."""
    total = 0
    groups = groups_of(notes, rng)
    if "other" in session.given:
        groups["loop"] = session.given["other"]
    for name, part in sorted(groups.items()):
        if name == "loop":
            audio = part
        else:
            render = guitar if name == "guitar" else keys
            audio = render(rng, part, controls, seconds, style, session)
        if np.abs(audio).max() < SILENT:
            continue
        audio = dsp.random_eq(audio, rng, 3)
        if rng.random() < 0.7:
            audio = dsp.reverb(audio, rng, rng.uniform(0.4, 2.5), rng.uniform(-26, -9), rng.uniform(2500, 8000))
        if name == "lead" and rng.random() < 0.4:
            audio = dsp.delay(audio, rng, rng.uniform(0.15, 0.5), rng.uniform(-20, -9))
        total = total + audio * db(rng.normal(0, 2.5) - loud_db(audio) - 20)
    return total


# ---- the song ---------------------------------------------------------------


def balance(rng, stems):
    """Gains that put each stem near its drawn level against the rest."""
    share = {}
    for name in stems:
        ratio = 10 ** ((BALANCE[name] + rng.normal(0, SPREAD)) / 10)
        share[name] = ratio / (1 + ratio)
    for name, audio in stems.items():
        stems[name] = audio * db(10 * np.log10(share[name]) - 20 - loud_db(audio))


def glue(rng, stems):
    """Bus compression and peak control as one gain curve for all stems: sums stay exact."""
    mix = sum(stems.values())
    if rng.random() < 0.5:
        threshold = np.percentile(dsp.envelope_db(mix), 90) - rng.uniform(1, 8)
        curve = dsp.gain_curve(mix, threshold, rng.uniform(1.5, 4), rng.uniform(0.003, 0.03), rng.uniform(0.08, 0.3))
        stems = {k: v * curve for k, v in stems.items()}
        mix = sum(stems.values())
    if rng.random() < 0.6:
        threshold = 20 * np.log10(np.abs(mix).max()) - rng.uniform(5, 11)
        curve = dsp.gain_curve(mix, threshold, 20, 0.001, rng.uniform(0.03, 0.1))
        stems = {k: v * curve for k, v in stems.items()}
    return stems


def duck(rng, stems, drum_notes, seconds):
    """Side-chain pumping: the kick's beats push bass and other down."""
    depth, release = rng.uniform(4, 18), rng.uniform(0.1, 0.3)
    grid = np.zeros(int(seconds * RATE / 64) + 1)
    for note in drum_notes:
        if note.pitch in (35, 36):
            at = int(note.start * RATE / 64)
            n = min(len(grid) - at, int(release * RATE / 64))
            grid[at : at + max(n, 0)] = np.linspace(-depth, 0, max(n, 0))
    curve = dsp.spread(db(grid), int(seconds * RATE))
    for name in ("bass", "other"):
        if name in stems:
            stems[name] = stems[name] * curve[: len(stems[name])]


def process_loop(rng, audio, process, style):
    """A loop is produced already: half of them are only equalised a little."""
    return process(rng, audio, style) if rng.random() < 0.5 else dsp.random_eq(audio, rng, 2)


def make_song(config, job, tune, seconds, rng, style, package, artist, given=None, loops=()):
    """Renders, processes, balances and writes one song.

    `given`: finished audio by stem, taken from the folders `loops`; in "other" it is played along with the notes."""
    split, credits = job["split"], Credits()
    band = {part: str(Path(config.shared_data) / "kits" / name) for part, name in job.get("band", {}).items()}
    session = Session(split, credits, band, given or {})
    for folder in loops:
        credits.recording("loops", folder)
    licence, credit = TUNES[package]
    makers = {"drums": (drums, process_drums), "bass": (bass, process_bass), "other": (other, None)}
    stems = {}
    for name, (render, process) in makers.items():
        notes = tune.stem(name)
        if process and name in session.given:
            stems[name] = process_loop(rng, session.given[name], process, style)
            continue
        if not notes and name not in session.given:
            continue
        audio = render(rng, notes, tune.controls, seconds, style, session)
        if not isinstance(audio, np.ndarray) or np.abs(audio).max() < SILENT:
            continue
        stems[name] = process(rng, audio, style) if process else audio
    if "drums" not in stems and "bass" not in stems:
        raise Skip("neither drums nor bass")
    if style in ("edm", "growl") and rng.random() < 0.7:
        duck(rng, stems, tune.stem("drums"), seconds)
    facts = {}
    wanted = job["vocals"] if job.get("vocals") is not None else rng.random() < (0.75 if split == "train" else 0.85)
    if wanted:
        rap = style in ("trap", "hiphop") and rng.random() < 0.7
        voice, facts = vocals(rng, config, split, seconds, rap, job.get("voice"))
        if voice is not None:
            stems["vocals"] = voice
    frames = int(seconds * RATE)
    stems = {k: np.ascontiguousarray(v[:frames], dtype=np.float32) for k, v in stems.items()}
    balance(rng, stems)
    stems = glue(rng, stems)
    headroom = PEAK * db(-rng.uniform(0, 6)) / loudest(sum(stems.values())).max()
    stems = {k: v * headroom for k, v in stems.items()}
    info = {
        "artist": artist,
        "licence": " AND ".join(sorted({licence, *credits.licences, *filter(None, [facts.get("voice_licence")])})),
        "credit": "; ".join([f"{package}: {credit} ({licence})", *credits.names, *filter(None, [facts.get("voice_credit")])]),
        "soundfonts": credits.banks,
        "drumkit": ", ".join(credits.kits) or None,
        "style": style,
        "tune": job.get("tune"),
        "split": split,
        "seed": job["seed"],
        **{k: v for k, v in facts.items() if k in ("voice", "voice_kind")},
    }
    write_song(config.out, job["source"], job["id"], stems, info)
