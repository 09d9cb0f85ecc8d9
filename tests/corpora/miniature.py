"""Miniature corpora in the official layouts, of empty files."""

from itertools import product

# Written down here and not taken from the package.
EMODB_SPEAKERS = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")
EMODB_TEXTS = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")


def touch(root, files):
    """Create empty files below a folder."""
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def ravdess_files(actors=range(1, 25), channel="01"):
    """List the official names of the speech recordings: 60 an actor, no strong neutral."""
    names = []
    for actor, emotion, intensity, statement, repetition in product(actors, range(1, 9), (1, 2), (1, 2), (1, 2)):
        if (emotion, intensity) != (1, 2):
            fields = f"{emotion:02d}-{intensity:02d}-{statement:02d}-{repetition:02d}-{actor:02d}"
            names.append(f"Actor_{actor:02d}/03-{channel}-{fields}.wav")
    return names


def crema_d_files(actors):
    """List 82 names an actor: 12 sentences x 6 emotions, one sentence of them at three intensities."""
    sentences = ("TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI")
    emotions = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
    names = [f"{a}_{s}_{e}_XX" for a, s, e in product(actors, sentences, emotions)]
    names += [f"{a}_IEO_{e}_{level}" for a, e, level in product(actors, emotions, ("LO", "MD", "HI")) if e != "NEU"]
    return [f"AudioWAV/{name}.wav" for name in names + [f"{a}_IEO_NEU_XX" for a in actors]]


def savee_files():
    """List the official names: 15 an emotion and speaker, 30 neutral ones."""
    counts = {"a": 15, "d": 15, "f": 15, "h": 15, "n": 30, "sa": 15, "su": 15}
    return [
        f"AudioData/{speaker}/{code}{number:02d}.wav"
        for speaker in ("DC", "JE", "JK", "KL")
        for code, count in counts.items()
        for number in range(1, count + 1)
    ]


def tess_files():
    """List 2 speakers x 200 words x 7 emotions, the words invented but one, and its official slip."""
    words = ["bite", *(f"word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(199))]
    emotions = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")
    names = [f"{s}_{e}/{s}_{w}_{e}.wav" for s, w, e in product(("OAF", "YAF"), words, emotions)]
    return ["OAF_neutral/OA_bite_neutral.wav" if n.endswith("OAF_bite_neutral.wav") else n for n in names]


def emovo_files():
    """List the official names: 6 speakers x 7 emotions x 14 sentences."""
    texts = "b1 b2 b3 l1 l2 l3 l4 n1 n2 n3 n4 n5 d1 d2".split()
    emotions = ("dis", "gio", "neu", "pau", "rab", "sor", "tri")
    return [f"{s}/{e}-{s}-{t}.wav" for s, e, t in product(("f1", "f2", "f3", "m1", "m2", "m3"), emotions, texts)]


def urdu_files():
    """List 100 names for each emotion, by two speakers."""
    folders = {"Angry": "A", "Happy": "H", "Neutral": "N", "Sad": "S"}
    return [
        f"{folder}/{'SM5' if number % 2 else 'SF11'}_F{number}_{letter}0{number}.wav"
        for folder, letter in folders.items()
        for number in range(1, 101)
    ]


IEMOCAP_LINES = """\
% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
C-E3:\tNeutral;\t()
C-E4:\tNeutral; Anger;\t(irritated)
C-F1:\tAnger;\t()
A-E3:\tval 3; act 2; dom  2;\t()

[10.0100 - 11.3925]\tSes01F_impro01_M000\txxx\t[3.0000, 3.5000, 3.0000]
C-E2:\tFrustration;\t()
C-E3:\tAnger;\t()
C-E4:\tNeutral state;\t()
A-E3:\tval 3; act 2; dom  ;\t()

[14.8872 - 18.0175]\tSes01F_impro01_F001\texc\t[4.0000, 4.0000, 3.0000]
C-E2:\tExcited;\t()
C-E3:\tHappiness; Excited;\t()
"""
IEMOCAP_TEXTS = """\
Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
Ses01F_impro01_M000 [010.0100-011.3925]: Do you have your forms?
M: [LAUGHTER]
Ses01F_impro01_FXX0 [012.0000-013.0000]: Hm.
"""
MSP_LINES = """\
UTD-IMPROV-S01A-F01-S-FM01.avi; A; A:4.200000; V:1.800000; D:3.900000 ; N:3.500000;
WORKER1; Angry; Disgusted,Angry; A:5.000000; V:1.000000; D:4.000000; N:4.000000;
WORKER2; Neutral; Neutral; A:3.000000; V:3.000000; D:3.000000; N:3.000000;
WORKER1; Angry; Disgusted,Angry; A:5.000000; V:1.000000; D:4.000000; N:4.000000;
WORKER3; Angry; Angry; A:4.000000; V:2.000000; D:4.000000; N:4.000000;

UTD-IMPROV-S01A-M01-T-MF02.avi; X; A:3.000000; V:3.000000; D:NaN ; N:3.000000;
WORKER4; Sad; Sad; A:3.000000; V:3.000000; D:3.000000; N:3.000000;
WORKER5; Happy; Happy; A:3.000000; V:3.000000; D:3.000000; N:3.000000;

UTD-IMPROV-S12H-F06-P-FM11.avi; O; A:2.000000; V:2.000000; D:2.000000 ; N:2.000000;
UTD-IMPROV-S20N-M03-R-MM01.avi; N; A:2.000000; V:2.000000; D:2.000000 ; N:2.000000;
UTD-IMPROV-S03S-M03-R-MM01.avi; S; A:2.000000; V:2.000000; D:2.000000 ; N:2.000000;
"""


def write_texts(root, texts):
    """Write label files, path to text or bytes."""
    for file, text in texts.items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def iemocap_root(root):
    """One session with three turns of two speakers, one without consensus."""
    session = root / "Session1"
    write_texts(
        session / "dialog",
        {
            "EmoEvaluation/Ses01F_impro01.txt": IEMOCAP_LINES,
            "EmoEvaluation/._Ses01F_impro01.txt": b"\x00\x05\x16\x07",
            "EmoEvaluation/Categorical/Ses01F_impro01_e2_cat.txt": "Ses01F_impro01_F000 :Neutral; ()",
            "transcriptions/Ses01F_impro01.txt": IEMOCAP_TEXTS,
        },
    )
    touch(session / "dialog/wav", ["Ses01F_impro01.wav"])
    names = ["F000", "M000", "F001", "FXX0"]
    touch(session / "sentences/wav/Ses01F_impro01", [f"Ses01F_impro01_{name}.wav" for name in names])
    return root


def whole_iemocap_root(root, counts):
    """All labels of IEMOCAP by emotion code, spread over sessions, sexes and styles, with empty dialogues."""
    lines = {}
    codes = [code for code, count in counts.items() for _ in range(count)]
    for number, code in enumerate(codes):
        session, sex = number % 5 + 1, "FM"[number // 5 % 2]
        dialogue = f"Ses0{session}F_{'impro01' if number // 10 % 2 else 'script02_1'}"
        turn = f"{dialogue}_{sex}{number:05d}"
        line = f"[{number}.0000 - {number + 1}.0000]\t{turn}\t{code}\t[2.5000, 2.5000, 2.5000]\nC-E2:\tOther;\t()\n\n"
        lines.setdefault((session, dialogue), []).append(line)
    for (session, dialogue), texts in lines.items():
        write_texts(root, {f"Session{session}/dialog/EmoEvaluation/{dialogue}.txt": "".join(texts)})
    return touch(root, [f"Session{session}/dialog/wav/{dialogue}.wav" for session, dialogue in lines])
