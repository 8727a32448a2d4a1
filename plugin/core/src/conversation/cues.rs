//! Words by which a question's topic is told. Phrases are separated by commas; a star stands for any ending.

use super::topic::Field;

/// Words of what the advisor cannot judge.
pub(super) const OUT_OF_REACH: &[(Field, &str)] = &[
    (
        Field::Mastering,
        "master, masters, mastered, mastering, lufs, true peak*, dither*, spotify, youtube, \
         streaming, soundcloud, apple music, tiktok, vinyl, headroom, bit depth, export*, mp3, flac, \
         wav file, clipping, normalize, normalise",
    ),
    (
        Field::Equalizer,
        "eq, eqs, eqing, equali*, hz, khz, hertz, frequenc*, low mids, low mid, the mids, mids, high \
         end, the highs, treble, sibilan*, deess*, de ess, de esser, muddy, mud, muddiness, harsh, \
         harshness, boxy, boomy, nasal, airy, brighter, bright, warmer, warm, darker, dull, low \
         pass, high pass, low cut, high cut, highpass, lowpass, shelf, resonance*, tone, timbre, \
         punchy, punchier, rumble",
    ),
    (
        Field::Dynamics,
        "compress*, gain reduction, duck*, multiband, limiter, limiting, gate, gating, noise gate, sidechain*, side chain*, \
         transient, transients, dynamics, attack and release, attack time, release time, expander",
    ),
    (
        Field::Effects,
        "reverb*, delay, delays, echo, echoes, saturat*, distort*, chorus effect, flanger, phaser, \
         effect, effects, fx, vocoder, exciter, amp sim, plate, slapback, lo fi",
    ),
    (
        Field::Stereo,
        "pan, panned, panning, stereo, wide, wider, width, widen, mono, mid side, phase, spread out, \
         hard left, hard right, left and right",
    ),
    (
        Field::PitchAndTime,
        "in tune, out of tune, tuning, tuned, autotune, auto tune, pitch, pitchy, in key, what key, \
         transpose, lower key, higher key, which key, the key of, bpm, tempo, in time, out of time, \
         timing, chord, chords, scale, time signature, quanti*, off key, melodyne, faster, slower, \
         speed up, slow down",
    ),
    (
        Field::Writing,
        "lyric, lyrics, write me, write a, write some, write my, write the, melody, melodies, \
         rhyme*, poem, arrangement, arrange, compose, songwriting, hook, intro, outro, verse \
         shorter, sing me, sing a, a title, song title, genre, second verse, a riff, a solo, remix",
    ),
    (
        Field::Tools,
        "plugin, plugins, vst, vsts, microphone, microphones, preamp, ableton, logic pro, in logic, \
         reaper, pro tools, cubase, fl studio, bitwig, studio one, ardour, garageband, audacity, \
         daw, headphones to buy, audio interface, latency, preset, presets, sample rate, bounce \
         stems, which speakers, which monitors, cost, buy, gauge, pickup, pickups, telecaster, \
         stratocaster, amp, noise, hiss, hum, podcast",
    ),
    (
        Field::Elsewhere,
        "weather, recipe, joke, jokes, capital of, who won, who are you, translate, stock, bitcoin, \
         football, what time is it, what day, your name, how old, book me, times eight, population, \
         president, my email, an email, dinner, python, javascript, cook, meaning of life, plays, \
         streams, famous, a hit, ignore all, ignore your, previous instructions, system prompt",
    ),
];

/// Words of a comparison with the reference.
pub(super) const COMPARE: &str =
    "reference, references, refrence, referance, ref, compare, compared, comparison, vs";
/// Words that ask for a reason.
pub(super) const WHY: &str = "why, how come, what makes you, reason, reasons, reasoning, on what basis, based on what, \
    explain, evidence, how do you know, how can you tell, how did you, what do you base, says who, \
    justify, what for, where do you get, what tells you, prove it, proof";
/// Words that ask how sure the advisor is.
pub(super) const CONFIDENCE: &str = "how sure, are you sure, you sure, how certain, are you certain, how confident, confident, \
    confidence, certainty, sure about, can i trust, should i trust, could you be wrong, might you be \
    wrong, are you guessing, a guess, just guessing, how likely, what are the odds, how probable, \
    probability, how reliable, reliable, any doubt, doubts, positive about, would you bet, is that \
    certain, for sure";
/// Words that ask what to do first.
pub(super) const FIRST: &str = "what first, where do i start, where should i start, where would you start, where to start, start \
    with, begin with, where do i begin, where should i begin, do first, change first, fix first, \
    first step, first move, first thing, next step, most important, most urgent, biggest problem, \
    biggest issue, one thing, one move, one change, a single change, priority, which fader first, \
    top priority";
/// Words that, with a stem, ask about changing it alone.
pub(super) const ONLY: &str =
    "only, just touch, just change, just move, just adjust, nothing but, alone, just the, solely";
/// Words that ask for measured levels.
pub(super) const LEVELS: &str = "measure, measured, measurement, measurements, numbers, figures, readings, what are the levels, \
    list the levels, show me the levels, level readings, how many lu, in lu, what level, exact \
    level, exact levels";
/// Words of the general question.
pub(super) const GENERAL: &str = "balance, balanced, levels, faders, stems";
