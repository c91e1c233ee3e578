"""Numbers that the rules compare with: set on the calibration seeds of benchmarks/doctor_harness.py, then held."""

RECENT = 3  # checks whose median is judged: one odd check is no verdict
WARM_ROUNDS, WARM_SHARE = 300, 0.03  # of the whole training; before, every recipe looks ill
FEW_PICTURES, SCARCE_PICTURES = 1_000, 100
SAME = 1e-3  # spread of the data under which all its pictures are one

GOOD_GAP = 0.05  # gap to the data that healthy recipes reach
BAD_GAP = 0.3  # half-learned, at best
HOPELESS_GAP = 0.8  # about that of an untrained generator
IMPROVING = 0.93  # the gap falls to this part of what it was RECENT checks before ...
STILL = 0.96  # ... and, where it is bad, to this part within the last RECENT checks: a moment of luck is no trend
LATE = 0.5  # of the whole training: from then on, slow progress is told
STALE_SHARE = 0.3  # of the whole training without a better gap
WORSE = 1.5  # times the best gap, so that noise is no standstill

FEW_WINS = 0.75  # a discriminator that wins less often, while the gap is bad, is too weak
LOST_WINS = 0.5  # or even fooled
ALL_WINS = 0.995
SURE = 0.02  # discriminator's gradient over the generator's: under it, it has nothing left to learn
FADED, GONE = 0.1, 0.05  # generator's gradient over its own largest: where nothing improves, or even where it does
EXPLODED = 100.0  # a gradient over its own past's median; where the gap is bad, over its first ones

BLANK = 0.1  # contrast of samples without a picture on them
APART = 3.0  # times the best gap: what was learned is lost
WILD = 1.3  # variety beyond the data's
GLARING, FAR_OFF = 1.2, 1.5  # contrast beyond the data's, at a gap that no untrained generator need have
LITTLE_VARIETY, NO_VARIETY = 0.6, 0.3
ALL_ALIKE = 0.05  # variety that even a training that has just begun exceeds
CROWDED, PRESSED = 0.1, 0.02  # distance of neighbours: odd where nothing improves; grave in any case
COPIES, MOSTLY_COPIES = 0.05, 0.3  # share of near copies: likewise
HALF_THE_CLASSES = 0.5
BY_HEART = 0.5  # distance to the nearest training picture
SEEN_BETTER, SEEN_FAR_BETTER = 0.05, 0.2  # win rate on training pictures over that on held-out ones
