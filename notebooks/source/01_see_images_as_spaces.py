# %% title [markdown]
# # See images as spaces
#
# **At the end** you can paint any mask on the grid of section 1 and say, before the numbers do, how many components and holes it has, and which metrics will notice what you changed.
#
# ![Left: two vessels on a small grid with a letter in each pixel of a component; one missing pixel cuts the upper vessel, one false pixel joins it to the lower one. Right: components, holes and seven metrics, those that see a difference in bold with an unequal sign.](../images/01.png)
#
# **Time:** 40 minutes to read, 65 with exercises.
#
# **You need** NumPy, and an environment that [chapter 00](../00_start_here.ipynb) calls OK. No topology; this is where it begins.
#
# **You will be able to**
#
# - count components and holes with a pencil, with 4 and with 8 neighbours, and in a volume with 6 and with 26;
# - explain why the background needs other neighbours than the foreground;
# - write the counting in a few lines, and check it with two other tools;
# - say what Dice hides, and what Betti numbers, clDice, ARI, VOI and Betti matching each see, and miss;
# - say what has to stand beside a Betti error before it means anything.

# %% parameters tags=["parameters"]
SEED = 0  # of the random masks
MASKS = 100  # of them, on which naive code, library and scikit-image are compared
CONNECTIVITY = 2  # of the foreground in the tables of metrics: 2 is 8 neighbours, 1 is 4

# %% setup
from collections import Counter
from itertools import product

import numpy as np
import skimage
from matplotlib.figure import Figure
from scipy.ndimage import distance_transform_edt
from skimage.measure import euler_number, label
from skimage.morphology import dilation, disk, opening, skeletonize

from toposeg_lite import exercises, explorers, figures, metrics
from toposeg_lite.data import photos
from toposeg_lite.topology import betti_numbers, persistence_pairs

print(f"numpy: version {np.__version__}, scikit-image: version {skimage.__version__}")


# %% predict [markdown]
# ## Predict first
#
# A hundred pixels, two blood vessels, one above the other. On the left the truth; beside it what two networks say.
#
# ```
# truth                  network 1              network 2
#
# . . . . . . . . . .    . . . . . . . . . .    . . . . . . . . . .
# . . . . . . . . . .    . . . . . . . . . .    . # # # # . . . . .
# . # # # # . . . . .    . # # # # . . . . .    . # # # # # # # # .
# . . . . # # # # # .    . . . . # # . # # .    . . . . # # # # # .
# . . . . . . . . . .    . . . . # . . . . .    . . . . . . . . . .
# . # # # # # . . . .    . # # # # # . . . .    . # # # # # . . . .
# . . . . . # # # # .    . . . . . # # # # .    . # # # # # # # # .
# . . . . . . . . . .    . . . . . . . . . .    . . . . . # # # # .
# . . . . . . . . . .    . . . . . . . . . .    . . . . . . . . . .
# . . . . . . . . . .    . . . . . . . . . .    . . . . . . . . . .
# ```
#
# Write down, before you go on:
#
# 1. How many of the hundred pixels has each network right, roughly? Which one would win a competition that is judged by pixels?
# 2. A doctor wants to know where the blood flows. Which one would you hand over?
# 3. *Count the pieces* of each picture. Would counting alone tell the two networks apart?
#
# <details><summary>Answer</summary>
#
# 1. Network 1 has 98, network 2 only 84: number 1 wins clearly. 2. Number 2. Number 1 says that the upper vessel ends in the middle and that its blood runs into the lower one: both false. Number 2 only makes the vessels too thick. 3. No. All three pictures have two pieces, for the two mistakes of network 1 cancel: a cut makes one piece more, a bridge one less.
#
# </details>

# %% opening
def drawn(picture):
    """Return the mask that rows of # and . draw."""
    return np.array([[sign == "#" for sign in row] for row in picture.split()])


ROWS = ".......... .......... .####..... ....#####. .......... .#####.... .....####."
TRUTH = drawn(ROWS + 3 * " ..........")
FIRST, SECOND = TRUTH.copy(), TRUTH.copy()
FIRST[3, 6], FIRST[4, 4] = False, True  # one pixel missing, one pixel false
SECOND[[1, 2, 6, 7]] |= TRUTH[[2, 3, 5, 6]]  # each vessel too thick
SMALL = drawn(".#... #.#.. .#..# ...## ##...")  # for section 1
figure, axes = figures.parts(3)
masks = {"truth": TRUTH, "network 1": FIRST, "network 2": SECOND}
for ax, (name, mask) in zip(axes, masks.items(), strict=True):
    title = f"{name}: {(mask == TRUTH).sum()} right"
    figures.mask_parts(mask, TRUTH, title=title, legend=False, ax=ax)
figures.mask_legend(figure)
text = "The two vessels A and B; cut and merged by network 1; too thick by network 2."
figures.show(figure, text)


# %% opening-meaning [markdown]
# Yellow pixels are right, purple ones false, the green one is missing; the letters name the pieces. In the middle the letters tell what is wrong: the left half of the upper vessel is one with the lower vessel, and its right half stands alone.
#
# That is the problem of this workbook. A pixel is a small thing to get wrong, and the *shape of the whole* can hang on it. To say what went wrong we need words for the shape of the whole which care nothing for width, place or bending, only for what hangs together. That is what topology is.
#
# ## 1. By hand: components and holes
#
# Take a mask as a *space* in which you can walk from pixel to pixel. Two pixels are **neighbours** if they share a side (each pixel has 4) or, a second choice, if they share a side or a corner (each has 8).
#
# - A **component** is all the foreground that can be reached from one pixel, from neighbour to neighbour.
# - A **hole** is a component of the *background* from which one cannot walk to the outside. Around the image, everything is outside.
#
# Their numbers are the **Betti numbers** $b_0$ and $b_1$. Count them in this mask, with 8 neighbours and with 4. Before you look below, decide how the *background* may walk in either case.
#
# ```
#     0 1 2 3 4
# 0   . # . . .
# 1   # . # . .
# 2   . # . . #
# 3   . . . # #
# 4   # # . . .
# ```
#
# <details><summary>Answer</summary>
#
# Letters name the components, 1 the hole:
#
# ```
# 8 neighbours     4 neighbours
#
# . A . . .        . A . . .
# A 1 A . .        B . C . .
# . A . . B        . D . . E
# . . . B B        . . . E E
# C C . . .        F F . . .
# ```
#
# </details>
#
# The same pixels, two spaces. Follow the four pixels of the diamond:
#
# | | with 8 neighbours | with 4 neighbours |
# |---|---|---|
# | (0, 1), (1, 0), (1, 2), (2, 1) | meet over corners: one ring | share no side: four components |
# | (1, 1), the pixel inside | walled in: a hole | open at its corners: no hole |
# | $(b_0, b_1)$ of the whole mask | (3, 1) | (6, 0) |
#
# Neither is wrong. A *convention* is needed, and it belongs beside every number. The library calls it `connectivity`, as scikit-image does: how many steps along an axis lead to a neighbour. 1 means 4 neighbours, 2 means 8; 2 is the default.
#
# **Now paint.** With a running kernel the next picture is live. **Press a pixel** to paint it or to wipe it out, and drag to paint a line; letters and numbers follow under the hand. By keyboard: with the focus on the grid, arrow keys choose a pixel and the space bar turns it (or *More controls*, *Flip this pixel*). *Foreground* switches between 8 and 4 neighbours. *Empty* clears the grid, *Back to the truth* begins anew, *Make it the truth* lets you paint a scene of your own; *Your own image* takes a picture from your disk, made small and black and white. *Challenge* asks something, listens, and counts your tries; it needs no kernel on the workbook's site. In code, `explorer.toggle(row, column)` does the same.
#
# It begins with network 1. The printed lines mend first the cut and then the bridge, and spoil both again. Before each click, say how many components and holes there will be. The seven numbers beside the grid are metrics; they are explained in section 5, so leave them for later. Find:
#
# - the pixel that makes one piece of the two halves of the upper vessel;
# - a way to make a hole with as few pixels as possible, with 8 neighbours and with 4;
# - one pixel that is a hole with 8 neighbours and none with 4.

# %% explorer tags=["end-product"]
explorer = explorers.PaintExplorer(FIRST, TRUTH, row=3, column=6)
for pixel in ((3, 6), (4, 4), (4, 4), (3, 6)):  # mend the cut, wipe out the bridge, and back again
    explorer.toggle(*pixel)
    components, holes = explorer.betti
    print(f"flip {pixel}: components {components}, holes {holes}")
explorers.show(explorer)

# %% naive-text [markdown]
# ## 2. In a few lines of naive code, and why the background is different
#
# Start at any pixel, add its neighbours, then theirs, until none is left: a *flood fill*. What remains is another component. These lines do it in any number of dimensions, which will be useful soon. Below them all four choices are tried, of neighbours for the foreground and for the background.

# %% naive
def components_of(mask, connectivity):
    """Return the components of the foreground, each a list of pixels."""
    steps = list(product((-1, 0, 1), repeat=mask.ndim))
    steps = [step for step in steps if 0 < np.abs(step).sum() <= connectivity]
    left = set(map(tuple, np.argwhere(mask).tolist()))  # the foreground that is in no part yet
    parts = []
    while left:
        part = [left.pop()]
        for pixel in part:  # the list grows while we walk along it
            for step in steps:
                near = tuple(np.add(pixel, step).tolist())
                if near in left:
                    left.remove(near)
                    part.append(near)
        parts.append(part)
    return parts


for ours, theirs in product((2, 1), (2, 1)):  # neighbours of the foreground and of the background
    b0 = len(components_of(SMALL, ours))
    b1 = len(components_of(~np.pad(SMALL, 1), theirs)) - 1
    print(f"foreground {4 * ours}, background {4 * theirs}: {b0} components, holes: {b1}")


# %% duality [markdown]
# (The mask gets a rim of background first, so that the outside is one piece; it is then taken off the count.)
#
# Two of the four answers are absurd:
#
# - **8 and 8**: the diamond is a closed ring, and yet nothing is inside it. The background slips through the ring at its corners, exactly where the ring hangs together.
# - **4 and 4**: there is a hole, and nothing around it. Four separate pixels wall it in.
#
# In the plane, a closed curve has an inside and an outside, and where there is no curve there is no inside. That is Jordan's theorem, and it is what "hole" means. It holds for pixels only if each corner is open to *one* of the two: **8 neighbours for the foreground mean 4 for the background, and the other way round** (Rosenfeld 1979). This is called *dual* connectivity. You choose the one; the other follows. Code that forgets this and uses 8 for both is not rare: chapter 04 will meet some.
#
# ## 3. Volumes: 6 and 26, and one more Betti number
#
# A voxel shares a *side* with 6 others, and a side, an edge or a corner with 26. The rule stays: 26 for the foreground, 6 for the background, or the other way round. But a volume can have two kinds of holes:
#
# - a **tunnel**, through which one can put a finger, as in a ring: $b_1$;
# - a **cavity**, which is closed all around, as in a hollow ball: $b_2$.
#
# Cavities are found as before, by filling the background. A tunnel is no component of anything, and cannot be filled. Euler helps: cut the space into vertices, edges, squares and cubes, count them with alternating signs, and the result is always the alternating sum of the Betti numbers,
#
# $$\chi = \#\text{vertices} - \#\text{edges} + \#\text{squares} - \#\text{cubes} = b_0 - b_1 + b_2,$$
#
# so $b_1 = b_0 + b_2 - \chi$. With 6 (or 4) neighbours pixels are the vertices, and a block of two, four or eight foreground pixels is an edge, a square, a cube. With 26 (or 8) each pixel is itself a square or a cube; a side, edge or corner is there if *any* of the pixels around it is.

# %% naive-euler
def euler_of(mask, connectivity):
    """Return vertices - edges + squares - cubes."""
    total, axes = 0, tuple(range(-mask.ndim, 0))
    for wide in product((0, 1), repeat=mask.ndim):  # blocks of two pixels along some of the axes
        blocks = np.lib.stride_tricks.sliding_window_view(np.pad(mask, 1), np.add(wide, 1))
        full, touched = blocks.all(axes).sum(), blocks.any(axes).sum()
        total += (-1) ** sum(wide) * (full if connectivity == 1 else (-1) ** mask.ndim * touched)
    return int(total)


def betti(mask, connectivity):
    """Return components and holes of an image; components, tunnels and cavities of a volume."""
    dual = mask.ndim + 1 - connectivity
    b0 = len(components_of(mask, connectivity))
    inside = len(components_of(~np.pad(mask, 1), dual)) - 1
    if mask.ndim == 2:
        return b0, inside
    return b0, b0 + inside - euler_of(mask, connectivity), inside


# %% volumes-text [markdown]
# Four small volumes. Predict for each the three numbers with 26 neighbours, and whether 6 would change them.

# %% volumes
ring = np.ones((1, 3, 3), bool)
ring[0, 1, 1] = False
hollow = np.ones((3, 3, 3), bool)
hollow[1, 1, 1] = False
corners = np.zeros((4, 4, 4), bool)
corners[:2, :2, :2] = corners[2:, 2:, 2:] = True
chipped = hollow.copy()
chipped[2, 0, 2] = False
figure = Figure(figsize=(11, 3.1))
VOLUMES = {"ring": ring, "hollow cube": hollow, "chipped": chipped, "two cubes": corners}
for place, (name, volume) in enumerate(VOLUMES.items(), 1):
    ax = figure.add_subplot(1, 4, place, projection="3d")
    figures.voxel_block(volume, title=f"{name}: {betti(volume, 3)}, {betti(volume, 1)}", ax=ax)
figure.subplots_adjust(left=0.01, right=0.97, wspace=0.15, bottom=0.12)
text = "A ring, a hollow cube, the same without one corner, two cubes that meet in a corner: "
figures.show(figure, text + "components, tunnels and cavities with 26 neighbours, and with 6.")

# %% volumes-meaning [markdown]
# - The **ring** is one component with one tunnel, either way.
# - The **hollow cube** has a cavity, which you cannot see. It has no tunnel: a finger that goes in does not come out.
# - The **chipped** cube lacks one corner voxel. With 26 neighbours of the foreground, the background walks over sides only; from the missing corner it meets no way in, and the cavity stays closed. With 6, the background may step over corners, and it is open.
# - The **two cubes** meet in a single point: one component with 26, two with 6.
#
# ## 4. Naive code, library and scikit-image agree
#
# Pictures convince, random masks check: half of the pixels foreground, height unlike width, which is where mistakes come to light. [scikit-image](https://scikit-image.org) is an independent tool: `label` counts components, `euler_number` gives $\chi$.

# %% agree
generator = np.random.default_rng(SEED)
for shape, count, names in (((9, 12), MASKS, (4, 8)), ((4, 5, 6), MASKS // 5, (6, 26))):
    masks = generator.random((count, *shape)) < 0.5
    for connectivity, name in zip((1, len(shape)), names, strict=True):
        agree = Counter()
        for mask in masks:
            naive = betti(mask, connectivity)
            library = betti_numbers(mask, connectivity=connectivity)
            theirs = label(mask, connectivity=connectivity).max(), euler_number(mask, connectivity)
            chi = sum((-1) ** k * b for k, b in enumerate(library))
            agree["library"] += naive == library
            same_chi = chi == euler_of(mask, connectivity)
            agree["scikit-image"] += theirs == (naive[0], chi) and same_chi
        print(f"{len(shape)}D, {name} neighbours: naive == library {agree['library']}, ", end="")
        print(f"== scikit-image {agree['scikit-image']} of {count} masks")


# %% metrics-text [markdown]
# ## 5. What do metrics see?
#
# A **metric** turns a predicted mask $P$ and a true mask $T$ into one number. Here are those that the field uses most, each in a sentence:
#
# | metric | perfect | what it asks |
# |---|---|---|
# | **Dice** | 1 | how many foreground pixels the two share: $2\,\lvert P \cap T\rvert \,/\, (\lvert P\rvert + \lvert T\rvert)$ |
# | **clDice** | 1 | does the centre line (skeleton) of each lie inside the other? The harmonic mean of the two fractions |
# | **Betti error** | 0 | how far apart are the Betti numbers? $\lvert\Delta b_0\rvert + \lvert\Delta b_1\rvert$ |
# | **Betti matching error** | 0 | how many components and holes of either have no partner, *in the same place*, in the other? |
# | **ARI**, adjusted Rand index | 1 | take two pixels: are they in one segment or in two, and do both masks say the same? Corrected for chance |
# | **VOI**, variation of information | 0 | how many bits must one be told about the segments of the one, if one knows the other's? $H(P \vert T) + H(T \vert P)$ |
# | **warping error** | 0 | which part of the pixels still differs after $T$ was deformed towards $P$ as far as its topology allows? (Chapter 04) |
#
# A *segment* is a component; all background together is one more. Four of the seven follow from their definition in a few lines:

# %% naive-metrics
def entropy_of(names):
    """Return how many bits it takes to say which name a pixel has."""
    counts = Counter(names)
    shares = np.array(list(counts.values())) / counts.total()
    return -(shares * np.log2(shares)).sum()


def naive_metrics(prediction, truth):
    """Return Dice, clDice, Betti error and VOI, straight from their definitions; 8 neighbours."""
    one, two = truth[skeletonize(prediction)].mean(), prediction[skeletonize(truth)].mean()
    dice = 2 * (prediction & truth).sum() / (prediction.sum() + truth.sum())
    error = sum(abs(a - b) for a, b in zip(betti(prediction, 2), betti(truth, 2), strict=True))
    names = [label(mask, connectivity=2).ravel().tolist() for mask in (prediction, truth)]
    alone, other, joint = map(entropy_of, (*names, zip(*names, strict=True)))
    return dice, 2 * one * two / (one + two), error, 2 * joint - alone - other


four = ("dice", "cldice", "betti_error", "variation_of_information")
library = [metrics.report(FIRST, TRUTH)[key] for key in four]
words = [f"{key} {value:.3f}" for key, value in zip(four, library, strict=True)]
print("network 1:", ", ".join(words))
print("naive == library:", np.allclose(naive_metrics(FIRST, TRUTH), library))

# %% gallery-text [markdown]
# Now eight predictions of one small scene: a ring, a square and two bars. Predict: which has the *lowest* Dice? Which ones leave both Betti numbers as they are? Which would you forgive?

# %% gallery
WHITE, BAR, SIDES = "............... ", ".#########..... ", ".#..#....###... "
RING = ".####....###... " + SIDES * 2 + ".####.......... "
SCENE = drawn(WHITE + RING + (WHITE + BAR) * 2 + WHITE)
flips = {
    "moved by one pixel": np.argwhere(SCENE ^ np.roll(SCENE, 1, 1)).tolist(),
    "bar cut": [(6, 5)],
    "bars merged": [(7, 3)],
    "cut and merged": [(6, 5), (7, 3)],
    "false blob": [(6, 12), (7, 12)],
    "hole filled": [(2, 2), (2, 3), (3, 2), (3, 3)],
    "object missing": list(product((1, 2, 3), (9, 10, 11))),
    "object misplaced": [*product((1, 2, 3), (9, 10, 11)), *product((5, 6, 7), (11, 12, 13))],
}
CASES = {name: SCENE.copy() for name in flips}
for name, pixels in flips.items():
    CASES[name][tuple(np.transpose(pixels))] ^= True

# %% gallery-numbers
KEYS = ("dice", "cldice", "betti_error", "betti_matching_error", "adjusted_rand_index")
KEYS += ("variation_of_information", "warping_error")
HEADER = f"{'':20}  Dice clDice Betti matching   ARI   VOI warping"


def row(name, prediction, truth):
    values = [metrics.report(prediction, truth, connectivity=CONNECTIVITY)[key] for key in KEYS]
    return f"{name:20}" + "{:6.3f}{:7.3f}{:6.0f}{:9.0f}{:6.2f}{:6.2f}{:8.3f}".format(*values)


figure = Figure(figsize=(12, 5.6), layout="constrained")
for ax, (name, mask) in zip(figure.subplots(2, 4).flat, CASES.items(), strict=True):
    title = f"{name}: {betti_numbers(mask, connectivity=CONNECTIVITY)}"
    figures.mask_parts(mask, SCENE, connectivity=CONNECTIVITY, title=title, legend=False, ax=ax)
figures.mask_legend(figure)
text = "Eight predictions of a ring, a square and two bars, with their components and holes. "
figures.show(figure, f"{text}Truth: {betti(SCENE, 2)}.")
print(HEADER, *(row(name, mask, SCENE) for name, mask in CASES.items()), sep="\n")

# %% gallery-meaning [markdown]
# Read it column by column.
#
# - **Dice** counts pixels. The cut bar, the merged bars, both together and the false blob score .974 or more. The scene moved by one pixel, in which nothing is wrong but the place, scores .718: *below* the one in which an object stands somewhere else.
# - **clDice** orders the small mistakes as Dice does, for each costs little of a centre line. It is made for long tubes: a whole missing *square* costs no more than two pixels of the bars (its centre line is a dot), while the sides of the ring, one pixel thin and moved by one pixel, lose theirs wholly.
# - **Betti error** is 0 for the moved scene, and 1 for each single mistake, however small. But it is 0, too, for *cut and merged* and for the *misplaced object*: it counts, and does not look where.
# - **Betti matching error** sees these two: in each, two features have no partner.
# - **ARI and VOI** weigh a mistake by the pixels behind it: two merged bars cost more (VOI .21) than a blob (.10), since many pixels change their segment. They have no word for holes as such (a filled hole is just a larger component), and they mind displacement as much as Dice does.
# - **Warping error** forgives width and place, and counts the pixels at which something would have to tear. It says how many pixels, not how many features.
#
# No column can replace another: read one that counts (with place), and one that measures. To print:
#
# | You want to know | Read | Its blind spot |
# |---|---|---|
# | does everything hang together as in truth? | Betti matching error | how long, how wide, how far off |
# | how many pieces or loops too many, on average? | Betti error, components and holes apart | the place: mistakes cancel |
# | is the course of thin lines found? | clDice | one pixel that cuts costs next to nothing |
# | are regions parted as in truth? | ARI or VOI of the regions | holes, and which of the two is wrong |
# | would something have to tear? | warping error | how many features that is |
# | is width, area or place right? | Dice | all of the above |
#
# ## 6. A real photograph, and three ways to fail
#
# Now the vessels of a retina (photograph by Mikael Häggström, CC0; the truth is this project's own silver mask, made for learning and approved by no expert). The dissertation that this workbook follows names the typical failures of segmentations that are trained pixel by pixel. We make three of them, and a fourth mask that is only too thick:
#
# - **fragmented structures**: six short pieces are wiped out;
# - **wrong connectivity**: four thin false bridges;
# - **inconsistent fine structure**: all that is thinner than three pixels vanishes, so that thin vessels become strings of beads.

# %% photo
truth = photos.retina().mask[800:1024:2, 504:716:2] != 0
far, bridged = np.ones_like(truth), truth.copy()
far[[18, 49, 30, 48, 79, 101], [39, 22, 58, 74, 91, 60]] = False
for ends in ((20, 40, 24, 58), (44, 56, 50, 76), (12, 60, 10, 93), (72, 60, 99, 62)):
    rows, columns = skimage.draw.line(*ends)
    bridged[rows, columns] = bridged[rows + 1, columns] = True
FAILURES = {"fragmented": truth & (distance_transform_edt(far) > 4), "false bridges": bridged}
FAILURES |= {"beads": opening(truth, np.ones((3, 3))), "too thick": dilation(truth, disk(1))}
figure = Figure(figsize=(12, 3.6), layout="constrained")
for ax, (name, mask) in zip(figure.subplots(1, 4), FAILURES.items(), strict=True):
    ax.imshow(figures.mask_colours(mask, truth))
    ax.set(title=f"{name}: {betti_numbers(mask, connectivity=CONNECTIVITY)}", ylabel="row")
figures.mask_legend(figure)
text = f"Four faulty masks; green is missing, purple false. Truth: {betti(truth, 2)}."
figures.show(figure, text)
print(HEADER, *(row(name, mask, truth) for name, mask in FAILURES.items()), sep="\n")

# %% photo-meaning [markdown]
# In brackets are the Betti numbers; those of the truth are (1, 0), one tree without loops.
#
# Dice gives its worst mark, by far, to the one mask that has every vessel in one piece, and praises the three that are broken. The Betti error finds all three, and its two parts tell *which* failure it is: fragments and beads make components ($b_0$ rises), bridges close loops ($b_1$ rises). For beads and *too thick* the matching finds a little more than the count, since it sees the image in a frame (section 7), with which vessels that the border cuts form loops, too: some of these are opened, or filled up. VOI hardly minds the bridges: with one tree, there is nothing to merge, and no pixel changes its segment.
#
# Three failures, one low Dice, and the low one is on the harmless mask: this is why the chapters to come do not train with Dice alone.
#
# ## 7. What is published, and what is missing beside it
#
# Two things to ask of every Betti error in a paper, and one of every Betti matching error.
#
# **Which patch, which connectivity?** The first paper on topological losses averages the error over randomly sampled patches (Hu et al. 2019); others count on the whole image. Both are called "Betti error". A patch of 28 pixels sees few features and cuts many, so its numbers are far smaller, and not even in the same *order*: below, *too thick* is the best of four on the whole image and the second worst in patches of 14. Connectivity hardly matters for thick vessels, and decides everything for lines of one pixel, such as centre lines and cracks.
#
# <details><summary>Try it on a table of a paper</summary>
#
# Valverde et al. (2025) give, for test images of brick walls, errors in the number of components and of holes: 3.31 and 2.13 for Dice + cross-entropy, 4.20 and 3.62 for the same with a warping loss. May you say that the second network breaks more? No: the errors are absolute differences of counts, so it may as well join what is apart, or have specks. Are its errors in other places? A count does not tell. Is your own 2.9 better? Only if connectivity, patch (or whole image) and border are theirs.
#
# </details>
#
# **Which place?** Two blobs of equal size, one in the truth, one elsewhere in the prediction: the plain count sees nothing. Betti matching was made to see it (Stucki et al. 2023). But the authors' public C++ program (it is also inside topolosses 0.2.0) lists pairs of births and deaths, and a component that is alone in its image never dies: it is the *essential* one (chapter 02), and is left out. There is then nothing to match and nothing left over: **on two disjoint blobs the program returns 0**. Behind a *frame* of foreground the frame is the essential component, the blobs become finite ones, and it returns 2, as it should. The evaluation script beside their paper sets that frame (its default is `relative=True`), so this does not put their published numbers in doubt; but whoever calls the program without a frame gets another metric. `metrics.betti_matching_error` always frames, and does not count the frame. The price is that whatever touches the border belongs to the frame.

# %% pitfalls
print("patch      " + "".join(f"{name:>15}" for name in FAILURES))
for patch in (None, 56, 28, 14):
    errors = [metrics.betti_error(mask, truth, patch=patch) for mask in FAILURES.values()]
    print(f"{patch or 'whole image'!s:11}" + "".join(f"{error:15.2f}" for error in errors))
line = skeletonize(truth)
print(f"centre line of the truth: {betti_numbers(line)} with 8 neighbours,", end=" ")
print(f"{betti_numbers(line, connectivity=1)} with 4")
blob, elsewhere = np.zeros((2, 9, 15), bool)
blob[3:6, 2:5] = elsewhere[3:6, 9:12] = True
print(f"two blobs: Betti error {metrics.betti_error(elsewhere, blob):.0f},", end=" ")
print(f"Betti matching error {metrics.betti_matching_error(elsewhere, blob):.0f}")
finite = [int((persistence_pairs(mask).death_index >= 0).sum()) for mask in (blob, elsewhere)]
print("finite pairs of each, all that is left without the essential component:", finite)

# %% again [markdown]
# ## 8. Again, with all seven metrics
#
# Go back to the explorer of section 1; with a kernel it is still live. You now know what each of its numbers sees. To have the ring, the square and the bars in it instead of the two vessels, write `explorer.take(CASES["cut and merged"], SCENE)` into a cell of your own and run it.
#
# Mend first the cut, then the bridge. Half-way, when one of the two mistakes is gone, the Betti error is *worse* than before. Before every click, say what will happen. *Challenge* poses a question, counts your tries and says when it is solved. Find (the first three are among the challenges):
#
# - one pixel that changes components *and* holes at once;
# - a pixel that turns out differently with 4 and with 8 neighbours;
# - two pixels after which the Betti error is 0 and the Betti matching error is 4;
# - the largest number of wrong pixels you can make without any change of the warping error.

# %% exercise-1 [markdown]
# ## Exercises
#
# Each exercise has a stub to fill in, a checker that names what may have gone wrong, a hint, and a solution in [the solved notebook](./01_see_images_as_spaces.ipynb).
#
# ### 01.1 Count with a pencil
#
# How many components and holes has `exercises.PENCIL_SPACE`, with 8 neighbours and with 4?
#
# ```
#     0 1 2 3 4 5
# 0   # # # . . .
# 1   # . # . # .
# 2   # # # # . #
# 3   . . # . # #
# 4   . . . # . .
# 5   # # . . . #
# ```
#
# <details><summary>Hint</summary>
#
# Give every pixel a letter, as the pictures do. Then do the same with the background, beginning outside: what is left are the holes. Which corners may the background use in each case?
#
# </details>

# %% exercise-1-stub
counts = None  # two pairs: ((components, holes) with 8 neighbours, (components, holes) with 4)

exercises.check("01.1", counts)

# %% exercise-1-solution tags=["solution"]
# 8: the ring at the top left carries (2, 3), (1, 4), (3, 2), (4, 3) and the three at the right over
# corners: one component. The two bars at the bottom, (5, 0) with (5, 1), and (5, 5), make three.
# Holes are (1, 1), and (2, 4) and (3, 3), whose four sides are foreground.
# 4: the ring keeps (2, 3) and (3, 2); (1, 4), (4, 3), (5, 5), the bar, and the three at the right
# are components of their own: six. (2, 4) and (3, 3) open at their corners, (1, 1) does not.
counts_solution = ((3, 3), (6, 1))

exercises.check("01.1", counts_solution)

# %% exercise-2 [markdown]
# ### 01.2 Fool the count
#
# Make two masks of the same shape, a prediction and a truth, such that Dice is .9 or more and the Betti error is 0, yet at least two features have no partner (Betti matching error 2 or more). Not the ones of this chapter.
#
# <details><summary>Hint</summary>
#
# Two mistakes have to cancel in the count. What does a hole too many need beside it? Keep a rim of background around everything.
#
# </details>

# %% exercise-2-stub
fooled = None  # two masks: (prediction, truth)

exercises.check("01.2", fooled)

# %% exercise-2-solution tags=["solution"]
# A large plate with a hole. The prediction fills the hole and makes another one far from it.
plate_solution = np.pad(np.ones((7, 9), bool), 1)
truth_solution, prediction_solution = plate_solution.copy(), plate_solution.copy()
truth_solution[3, 3], prediction_solution[5, 7] = False, False

exercises.check("01.2", (prediction_solution, truth_solution))


# %% exercise-3 [markdown]
# ### 01.3 Change the method: the Betti error in patches
#
# Write the Betti error as many papers report it: cut both masks into squares of `patch` pixels a side from the first pixel on, take the error of each square (8 neighbours, components and holes added), and return the mean. Squares at the right and lower edge may be narrower. You may use `betti` or `betti_numbers`.
#
# <details><summary>Hint</summary>
#
# `range(0, height, patch)` gives the first row of each square; slices beyond the end of an array are cut off by themselves. When do you take the absolute value, and when the mean?
#
# </details>

# %% exercise-3-stub
def patch_error(prediction, truth, patch):
    """Return the mean Betti error of the squares."""
    return None


exercises.check("01.3", patch_error)


# %% exercise-3-solution tags=["solution"]
def patch_error_solution(prediction, truth, patch):
    """The absolute value first, for components and for holes, in each square; then the mean."""
    errors = []
    for r, c in product(range(0, truth.shape[0], patch), range(0, truth.shape[1], patch)):
        square = np.s_[r : r + patch, c : c + patch]
        ours, theirs = betti(prediction[square], 2), betti(truth[square], 2)
        errors.append(sum(abs(a - b) for a, b in zip(ours, theirs, strict=True)))
    return np.mean(errors)


exercises.check("01.3", patch_error_solution)

# %% exercise-3-played [markdown]
# On the masks of section 6 this is the table of section 7, line by line. Look at the column *too thick* again: its error is 0 on the whole image and grows in small patches, because the squares' edges cut its vessels in other places than those of the truth. Patches make an error *local*, which helps to find it; they also invent errors that the image does not have.

# %% quiz-text [markdown]
# ## Ten questions
#
# Answer first, then unfold: behind every answer stands why it is right, or what it mixes up.

# %% quiz
exercises.quiz("01")

# %% practice [markdown]
# ## In practice
#
# - **Cost.** On masks of 1024x1024 pixels counting takes about a thousandth of a second, Dice less, ARI and VOI two; warping fifty, Betti matching a hundred, clDice a hundred and fifty, nearly all of it for the skeletons. Nothing here is a reason not to look.
# - **Say it all.** Beside a Betti error belong the connectivity, the patch (or "whole image"), and what happens at the border. `metrics.report` returns them with the numbers. Give components and holes apart.
# - **Choose the connectivity by the structure,** not by the tool's default. Lines that are one pixel thin need 8 (26). For cells parted by a membrane one pixel thin, the *cells* need 4.
# - **When it fails.** All of these see a *mask*: a threshold came before, and a pixel at .51 counts like one at .99. [Chapter 02](02_measure_shape_with_persistence.ipynb) looks at all thresholds at once. One wrong pixel in the *truth* costs as much as one in the prediction: specks and gaps in annotations spoil every topological number.
# - **What critics say.** Berger et al. (2024) show on public data sets that the choice of connectivity can turn rankings of methods over, and that ground truths hold topological artefacts; they ask to measure topology apart from volume, by Betti numbers and Betti matching, each dimension for itself. Reinke et al. (2024) collect what goes wrong with Dice and its relatives, small and thin structures first.
#
# ## Summary
#
# You counted components and holes by hand (1) and in a few lines of code, and saw why the background has the dual connectivity (2). You did the same in volumes, where tunnels come in through the Euler number (3), and two other tools agreed (4). You know what seven metrics see and miss (5), found three failures on real vessels that Dice praises (6), know what must stand beside a Betti error (7), and painted until nothing surprised you any more (1, 8).
#
# ## Further reading
#
# - A. Rosenfeld, "Digital topology" (1979), [doi:10.2307/2321290](https://doi.org/10.2307/2321290): ten pages that explain, without machinery, why foreground and background need different neighbours.
# - T. Y. Kong and A. Rosenfeld, "Digital topology: introduction and survey" (1989), [doi:10.1016/0734-189X(89)90147-3](https://doi.org/10.1016/0734-189X%2889%2990147-3): the same at length, and for volumes.
# - X. Hu, L. Fuxin, D. Samaras and C. Chen, "Topology-preserving deep image segmentation" (2019), [arXiv:1906.05404](https://arxiv.org/abs/1906.05404): the Betti error in patches, and the loss of chapter 03.
# - S. Shit et al., "clDice: a novel topology-preserving loss function for tubular structure segmentation" (2021), [arXiv:2003.07311](https://arxiv.org/abs/2003.07311): centre lines as metric and as loss.
# - N. Stucki, J. C. Paetzold, S. Shit, B. Menze and U. Bauer, "Topologically faithful image segmentation via induced matching of persistence barcodes" (2023), [arXiv:2211.15272](https://arxiv.org/abs/2211.15272), and their code, in [Python](https://github.com/nstucki/Betti-matching) and in [C++](https://github.com/nstucki/Betti-Matching-3D): the Betti matching.
# - L. Hubert and P. Arabie, "Comparing partitions" (1985), [doi:10.1007/BF01908075](https://doi.org/10.1007/BF01908075), and M. Meilă, "Comparing clusterings: an information based distance" (2007), [doi:10.1016/j.jmva.2006.11.013](https://doi.org/10.1016/j.jmva.2006.11.013): ARI and VOI.
# - A. H. Berger, L. Lux et al., "Pitfalls of topology-aware image segmentation" (2024), [arXiv:2412.14619](https://arxiv.org/abs/2412.14619): connectivity, artefacts of annotations and choice of metrics, with experiments.
# - A. Reinke et al., "Understanding metric-related pitfalls in image analysis validation" (2024), [doi:10.1038/s41592-023-02150-0](https://doi.org/10.1038/s41592-023-02150-0): a catalogue in pictures.
# - X. Hu, "Learning Topological Representations for Deep Image Understanding" (2024), [arXiv:2403.15361](https://arxiv.org/abs/2403.15361): the dissertation that this workbook follows.
#
# ## Next
#
# [Chapter 02](02_measure_shape_with_persistence.ipynb) lets the threshold fall, and follows components and holes from their birth to their death. Before you go on, **shut this kernel down** (menu *Kernel*, *Shut Down Kernel*): it holds memory that the next chapter can use.
