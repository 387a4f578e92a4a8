# %% title [markdown]
# # Warp masks without tearing
#
# **At the end** you can click any pixel of the mask on the left, say from its eight neighbours whether it may flip, and say why the pixels with a cross never do.
#
# ![Left: a mask of retinal vessels on its way to its target, yellow where both agree, green and purple where a pixel is still to be added or removed, and crosses on the critical pixels in the gaps. Right: the neighbourhood of one critical pixel, which touches two foreground and two background components.](../images/04.png)
#
# **Time:** 35 minutes to read, 55 with exercises.
#
# **You need** [chapter 02](02_measure_shape_with_persistence.ipynb): only what components, holes and 4 or 8 neighbours are. For section 7, from PyTorch only what a gradient is.
#
# **You will be able to**
#
# - decide with a pencil whether a pixel is simple;
# - warp a 5x5 mask by hand, in naive code, and with the library;
# - say which differences between two masks are harmless and which are critical, and why;
# - turn the critical pixels into a loss, and see what descent on it does and leaves undone;
# - name the limits of warping, and find a wrong test by brute force.

# %% parameters tags=["parameters"]
SEED = 0  # of the random masks
PAIRS = 30  # of random masks on which naive code and library are compared
THRESHOLD = 0.5  # above it a pixel is foreground
STEPS, RATE = 15, 5.0  # of the descent on one likelihood

# %% setup
import gudhi
import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.ndimage import distance_transform_edt
from skimage.measure import label

from toposeg_lite import exercises, explorers, figures
from toposeg_lite.data import photos
from toposeg_lite.losses import homotopy_warping_loss
from toposeg_lite.topology import betti_numbers, homotopy_warp, simple_points

print(f"gudhi: version {gudhi.__version__}, torch: version {torch.__version__}")


# %% predict [markdown]
# ## Predict first
#
# A network has looked at 25 pixels. On the left is its likelihood of vessel, in tenths; in the middle what lies above one half; on the right the truth.
#
# ```
# likelihood     prediction     truth
#
# 9 8 1 1 1      # # . . .      . . . . .
# 9 9 3 8 4      # # . # .      # # # # #
# 7 8 2 6 1      # # . # .      . . . . .
# 1 1 1 1 1      . . . . .      . . . . .
# 1 1 1 1 2      . . . . .      . . . . #
# ```
#
# Prediction and truth differ in eight pixels. Write down, before you go on:
#
# 1. How many components and holes has each of the two? Would their Betti numbers betray a fault?
# 2. Which of the eight pixels would you forgive, because only the width or the length of something is wrong there?
#
# <details><summary>Answer</summary>
#
# 1. Both have two components and no hole: counting finds nothing. 2. Six of them. Not the gap at row 1, column 2, which breaks the line, and not the missing dot at row 4, column 4. Two mistakes cancel in the count. This chapter finds each of them, and the place of each.
#
# </details>

# %% by-hand [markdown]
# ## 1. By hand: when may a pixel flip?
#
# To *flip* a pixel is to turn foreground into background or back. A pixel is called **simple** if its flip changes the topology of the mask not at all: no component appears, vanishes, breaks or merges, and no hole does. One might think that this takes the whole image. It does not: **the eight neighbours decide** (Kong and Rosenfeld 1989). Here are six pixels *p* with their neighbours, for foreground with 8 neighbours and background with 4. Decide for each whether *p* may flip. Does it matter whether *p* itself is foreground?

# %% six
def drawn(picture):
    """Return the mask that rows of # and . draw."""
    return np.array([[sign == "#" for sign in row] for row in picture.split()])


SIX = ["##. #.. ...", "#.. #.. ..#", "### #.# ###", "... ... ...", "### #.# ##.", ".## #.. #.."]
figure = Figure(figsize=(9.4, 6.4), layout="constrained")
for number, ax in enumerate(figure.subplots(2, 3).flat, 1):
    title = f"neighbourhood {number}"
    figures.neighbourhood(drawn(SIX[number - 1]), (1, 1), title=title, ax=ax)
text = "Six pixels p with their neighbours; yellow is foreground. Signs of one kind, joined by "
text += "lines, are one component that touches p: A, B of the foreground, 1, 2 of the background."
figures.show(figure, text)


# %% by-hand-rule [markdown]
# Take *p* out and count two numbers: the **foreground components** among the eight cells that touch *p* (over a side or a corner), and the **background components** that touch it (over a side). The pixel is simple exactly if both numbers are 1. Its own value does not matter: what may be added may be removed again.
#
# | neighbourhood | foreground | background | verdict |
# |---|---|---|---|
# | 1 | 1 | 1 | simple |
# | 2 | 2 | 2 | not simple: *p* is the link between A and B. Elsewhere in the image they may be joined, too; then *p* closes a ring. Either way the topology changes |
# | 3 | 1 | 0 | not simple: *p* is a hole, or fills one |
# | 4 | 0 | 1 | not simple: *p* is a component, or makes one |
# | 5 | 1 | 0 | not simple: the white corner touches *p* over a corner only, so *p* is still walled in |
# | 6 | 1 | 1 | simple: the white cell at the top left does not touch *p* and does not count |
#
# Number 5 is why foreground and background need **different** neighbours. The foreground steps from (1, 2) to (2, 1) past that corner and closes the ring. If the background could step out over the same corner, *p* would be a hole and no hole at once. A corner is open to one of the two only: 8 goes with 4, and 4 with 8. Beyond the border of the image lies background.

# %% naive [markdown]
# ## 2. The same in naive code
#
# Grow the components cell by cell: each new cell swallows the parts that are near it. At the end count the parts that are near the middle.

# %% naive-simple
def touching(cells, connectivity):
    """Count the components of the eight cells around the middle that touch the middle."""

    def near(p, q):
        steps = np.abs(np.subtract(p, q))
        return steps.max() == 1 and steps.sum() <= connectivity

    parts = []
    for p in [p for p in np.ndindex(3, 3) if cells[p] and p != (1, 1)]:
        friends = [part for part in parts if any(near(p, q) for q in part)]
        parts = [part for part in parts if part not in friends] + [[p, *sum(friends, [])]]
    return sum(any(near(p, (1, 1)) for p in part) for part in parts)


def is_simple(cells, connectivity=2):
    """Return whether the middle touches one foreground and one background component."""
    return touching(cells, connectivity) == 1 == touching(~cells, 3 - connectivity)


# %% agree-text [markdown]
# ## 3. Naive code, library and GUDHI agree
#
# Eight cells with two values each make only 256 neighbourhoods, so nothing has to be believed: try all. `connectivity` counts the steps along an axis that lead to a neighbour, as in scikit-image: 1 means 4 neighbours, 2 means 8. GUDHI knows nothing of simple points. We ask it for the Betti numbers with *p* and without, in a world of background: the flip is harmless if they are equal.

# %% agree
def gudhi_betti(mask, connectivity):
    kind = "top_dimensional_cells" if connectivity == 2 else "vertices"
    cubes = gudhi.CubicalComplex(**{kind: np.where(np.pad(mask, 1), 0.0, 1.0)})
    cubes.compute_persistence(min_persistence=-1)
    return cubes.persistent_betti_numbers(0.0, 0.5)[:2]


ALL = np.insert(np.arange(256)[:, None] >> np.arange(8) & 1 > 0, 4, 0, axis=1).reshape(256, 3, 3)
WITH_P = ALL | drawn("... .#. ...")
for k in (2, 1):
    naive = [is_simple(cells, k) for cells in ALL]
    library = [simple_points(cells, connectivity=k)[1, 1] for cells in ALL]
    kept = [gudhi_betti(a, k) == gudhi_betti(b, k) for a, b in zip(ALL, WITH_P, strict=True)]
    print(f"{4 * k} neighbours: {sum(naive)} of 256 simple, all agree: {naive == library == kept}")


# %% warp-text [markdown]
# ## 4. Warp a mask
#
# Now take a **mask** and a **target**, and flip pixels where the two differ, as long as they are simple. The mask creeps towards the target and keeps its topology: a **homotopy warp**. A difference in width or place disappears. What remains when no pixel can flip any more are the **critical pixels**.
#
# (Jain et al. (2010) first judged and trained segmentations by such warps. The *order* decides which pixels remain, so it belongs to the definition.) Hu (2022) gives it like this: the pixel nearest to the boundary of the original mask goes first, and of equally near ones the first in reading order. A pixel that is refused is asked again when its neighbourhood has changed. So the mask is peeled and grown in layers, and fronts that come from two sides meet half-way.
#
# For the prediction of the beginning, with the truth as target:
#
# | pixel | flip | foreground, background | |
# |---|---|---|---|
# | (0, 0) | remove | 1, 1 | flips |
# | (0, 1) | remove | 1, 1 | flips |
# | (1, 2) | add | 2, 2 | refused: it would join the two pieces |
# | (1, 4) | add | 1, 1 | flips |
# | (2, 0) | remove | 1, 1 | flips |
# | (2, 1) | remove | 1, 1 | flips |
# | (2, 3) | remove | 1, 1 | flips |
# | (1, 2) | add | 2, 2 | asked again after each flip beside it, and refused |
# | (4, 4) | add | 0, 1 | refused: it would be a component of its own |
#
# Six flips, two critical pixels. In code:

# %% naive-warp
def naive_warp(mask, target, rule=is_simple, connectivity=2):
    """Flip the first pixel that differs and may flip, until there is none; return the mask."""
    warped, goal = np.pad(mask, 1), np.pad(target, 1)  # beyond the border lies background
    far = distance_transform_edt(warped) + distance_transform_edt(~warped)
    order = sorted(map(tuple, np.argwhere(warped != goal)), key=lambda p: (far[p], p))

    def first_that_may():
        for r, c in order:
            if rule(warped[r - 1 : r + 2, c - 1 : c + 2], connectivity):
                return r, c
        return None

    p = first_that_may()
    while p is not None:
        warped[p] = goal[p]
        order.remove(p)
        p = first_that_may()
    return warped[1:-1, 1:-1]


# %% warp
IMAGE = np.array([[9, 8, 1, 1, 1], [9, 9, 3, 8, 4], [7, 8, 2, 6, 1], [1] * 5, [1, 1, 1, 1, 2]]) / 10
MASK, TRUTH = IMAGE > 0.5, drawn("..... ##### ..... ..... ....#")
warped, critical = homotopy_warp(MASK, TRUTH)
print("critical:", np.argwhere(critical).tolist())
pairs = np.random.default_rng(SEED).random((PAIRS, 2, 9, 11)) < 0.5
for k in (2, 1):
    ours = [homotopy_warp(*pair, connectivity=k).warped for pair in pairs]
    same = [(naive_warp(*p, connectivity=k) == o).all() for p, o in zip(pairs, ours, strict=True)]
    kept = [gudhi_betti(p[0], k) == gudhi_betti(o, k) for p, o in zip(pairs, ours, strict=True)]
    print(f"{4 * k} neighbours: naive == library {sum(same)}, topology kept {sum(kept)} of {PAIRS}")
gap, whole = drawn("###....###"), drawn("##########")
forth, back = naive_warp(gap, whole) != whole, naive_warp(whole, gap) != gap
mirror = (naive_warp(gap[:, ::-1], whole[:, ::-1]) != whole)[:, ::-1]
for name, left in (("forth", forth), ("forth, in a mirror", mirror), ("back", back)):
    print(f"a gap, {name}: columns {np.argwhere(left)[:, 1].tolist()} are left")
figure, axes = figures.parts(2)
for ax, mask, name in zip(axes, (MASK, warped), ("before", "after"), strict=True):
    title = f"{name}: {betti_numbers(mask)}"
    figures.warp_masks(mask, TRUTH, critical=critical, title=title, ax=ax)
figures.show(figure, "The 5x5 mask before and after the warp, with its two critical pixels.")

# %% warp-meaning [markdown]
# In brackets are the Betti numbers; they stay what they were, as they must. The thick pieces have become thin, the right one has grown to the border, and the two crosses stand exactly where the prediction is wrong in kind and not only in degree. Note what a warp knows that counting does not: the *place* of each mistake, even where two mistakes cancel.
#
# The order decides *which* pixels are left, and a mask can also be warped the other way, the truth towards the prediction. The last three lines show both, on a line of ten pixels with a gap of four, columns 3 to 6. Forth, the gap is filled from both ends until one pixel is left. Seen in a mirror, where the reading order runs the other way, it is the neighbour of that one. Back, nothing may go, for any pixel would tear the line: all four are left. The one way names one place at which something is wrong; the other one names all that has to change. The loss will use both.

# %% photo-text [markdown]
# ## 5. A real photograph
#
# The vessels of chapters 02 and 03 again (retina by Mikael Häggström, CC0; the truth is this project's silver mask), with the dim spot on a thick vessel that chapter 03 made. The small formula stands in for a network.

# %% photo
photo, window = photos.retina(), np.s_[800:1312:2, 240:752:2]
vessels, mask = photos.vesselness(photo.image)[window], photo.mask[window] != 0
spot = ((np.indices((256, 256)).T - (183, 128)) ** 2).sum(-1).T
vessels *= 1 - 0.75 * np.exp(-spot / 18)  # the dim spot
crop, truth = vessels[144:240, 86:182], mask[144:240, 86:182]
prediction = crop > THRESHOLD
forth, back = homotopy_warp(prediction, truth), homotopy_warp(truth, prediction)
figure, axes = figures.parts(3)
figures.warp_masks(prediction, truth, title="prediction", ax=axes[0])
options = {"critical": forth.critical, "title": "prediction, warped"}
figures.warp_masks(forth.warped, truth, ax=axes[1], **options)
options = {"critical": back.critical, "title": "truth, warped"}
figures.warp_masks(back.warped, prediction, ax=axes[2], **options)
count, one, two = (a.sum() for a in (prediction != truth, forth.critical, back.critical))
text = f"{count} pixels differ; {one} and {two} are critical"
figures.show(figure, f"The prediction, its warp to the truth, the truth's warp to it: {text}.")

# %% photo-meaning [markdown]
# Nearly all that differs is green: the prediction is too thin, too short and broken. Most of it is harmless. Warped to the truth (middle), the prediction fills the vessels, also those that only lead on from where it ends. What is left are three short rows of pixels *across* a vessel. There two growing fronts have met, which belong to two pieces of the prediction and must not touch.
#
# The other way (right), the truth shrinks. It is one piece and has to remain one; so where the prediction has a break, the truth keeps a *thread* from one piece to the next. Its free ends shrink away without harm. A missing connection thus appears twice, as a row across and as a thread along it. Of the 528 pixels that differ, 44 are critical in one way or the other: one in twelve.

# %% film [markdown]
# The same in motion, three times; [four of its frames](../images/04-film.png) stand still.
#
# ![The prediction creeps towards the truth, flip by flip: green pixels turn yellow from the edges inwards, and the number of components stays four; at the end three short rows of critical pixels with a cross are left across the vessels.](../images/04-film.gif)

# %% explorer-text [markdown]
# ## 6. Try it
#
# With a running kernel the next picture is live. Press *Play the warp*, or move *Flips*, and the warp runs flip by flip. **Click a pixel** and see its neighbourhood and the verdict; with the focus on the picture, the arrow keys do the same. *Warp* exchanges mask and target. Among *More controls*, *Threshold* makes another prediction, *Foreground* switches to 4 neighbours. *Your own image* becomes the target, and a blurred and shifted copy of it the prediction: then move the threshold and see which pixels are critical on the way, that is, where the topology of the superlevel set changes (chapter 02).
#
# Find: a pixel that is not simple at first and flips later. A critical pixel in the gap, and the two components that it would join. The threshold at which the gap has no critical pixel any more.

# %% explorer tags=["end-product"]
explorer = explorers.WarpExplorer(crop, truth, threshold=THRESHOLD)
for step in (0, 150, 300, len(explorer.order)):
    explorer.step = step
    left = (explorer.now != explorer.goal).sum()
    print(f"flip {step}: {left} pixels differ, Betti numbers {betti_numbers(explorer.now)}")
explorer.step, explorer.row, explorer.column = 300, *map(int, np.argwhere(explorer.critical)[7])
explorers.show(explorer)


# %% loss-text [markdown]
# ## 7. From critical pixels to a loss
#
# Warp prediction $P$ and truth $T$ towards each other, both ways, and collect what is left:
#
# $$M = \big(\mathrm{warp}(T \to P) \ne P\big) \;\cup\; \big(\mathrm{warp}(P \to T) \ne T\big).$$
#
# The **homotopy warping loss** is a pixel loss on $M$ and nowhere else. With likelihood $f$ and truth $y$,
#
# $$L = -\frac{1}{|M|} \sum_{M} y \ln f + (1 - y) \ln (1 - f), \qquad L = 0 \text{ if } M \text{ is empty.}$$
#
# (The paper's code multiplies a sum over $M$ by the size of $M$; the mean is ours.) $M$ is a set of pixels and has no gradient; so with $M$ held fixed the gradient by logit is that of the cross-entropy, $(f - y) / |M|$ on $M$ and 0 elsewhere.
#
# With a pencil: both ways leave (1, 2) and (4, 4) of our 5x5 image, where $f$ is .3 and .2 and $y$ is 1. So $L = -(\ln .3 + \ln .2) / 2 = (1.204 + 1.609) / 2 = 1.407$.

# %% loss
def critical_pixels(prediction, truth, rule=is_simple):
    """Return what one of the two warps leaves."""
    forth = naive_warp(prediction, truth, rule) != truth
    return forth | (naive_warp(truth, prediction, rule) != prediction)


on = critical_pixels(IMAGE > 0.5, TRUTH)
naive = -np.log(np.where(TRUTH, IMAGE, 1 - IMAGE)[on]).mean()
logits, target = torch.tensor(IMAGE).logit().requires_grad_(), torch.tensor(TRUTH)
library = homotopy_warping_loss(logits[None, None], target[None])
(slopes,) = torch.autograd.grad(library, logits)
by_torch = torch.nn.functional.binary_cross_entropy_with_logits(logits[on], target[on].double())
print(f"naive {naive:.3f}, library {library:.3f}, torch on M {by_torch:.3f}, pencil 1.407")
places = [tuple(p) for p in np.argwhere(slopes.numpy()).tolist()]
print("gradient:", {p: round(slopes[p].item(), 3) for p in places})

# %% descent-text [markdown]
# Now without any network, as in chapter 03: change the logits of the crop step by step against the gradient. Predict: how many of the 528 wrong pixels will be right in the end, and what will the Betti numbers be?

# %% descent
logits, target = torch.tensor(crop).clamp(1e-4, 1 - 1e-4).logit(), torch.tensor(truth)
for step in range(STEPS + 1):
    value = homotopy_warping_loss(logits.requires_grad_()[None, None], target[None])
    (slopes,) = torch.autograd.grad(value, logits)
    mask, pulled = logits.detach().numpy() > 0, torch.count_nonzero(slopes)
    if step % 5 == 0:
        text = f"{(mask != truth).sum()} wrong, Betti numbers {betti_numbers(mask)}"
        print(f"step {step:2}: loss {value:.3f}, {pulled} critical, {text}")
    logits = logits.detach() - RATE * slopes
rose, likelihood = mask & ~prediction, logits.sigmoid().numpy()
print(f"{rose.sum()} pixels rose above .5, the lowest to {likelihood[rose].min():.3f}", end="; ")
print(f"{(prediction & ~mask).sum()} sank. Betti numbers of the truth: {betti_numbers(truth)}")


# %% descent-meaning [markdown]
# The result has the topology of the truth, and still it is wrong in nearly as many pixels as before. That is the point: the loss cares for what matters and leaves the rest to the pixel loss *beside* it. Three things to learn from the numbers:
#
# - **It need not fall steadily.** With every pixel that changes sides $M$ becomes another set, and the mean over the new set may be larger than that over the old one. At step 10 there is even one component more: part of a thread has risen before the rest.
# - **It stops at one half.** As soon as a pixel is on the right side, nothing is critical any more and nothing pulls: a connection may hang at .501. Only the pixel loss makes it firm.
# - **It joins, where chapter 03 might remove.** There a piece too many could be joined to the rest or sink. Here each critical pixel is told its true value, so a piece of a true vessel is never removed.

# %% published-text [markdown]
# ## 8. What published versions do differently
#
# Hu (2022) defines the warp as above, and gave it its order, which makes it fast enough for training. Two public versions of it test pixels in another way, or do not warp at all; the next cells try the first on all 256 neighbourhoods, and both on four small cases.
#
# | | what it does | what comes of it |
# |---|---|---|
# | [official code](https://github.com/HuXiaoling/Warping/blob/91a48e2ca8ddd2df3f8f3da47e9d30cab6616159/warping_loss.py) | foreground and background both have 8 neighbours, and corners count that do not touch the pixel | holes are filled, dots deleted, slant lines torn; some pixels that may flip count as critical |
# | `WarpingLoss` of topolosses 0.2.0 | its indices are always 0, so it never warps | it acts on the pixels that are right |
#
# <details><summary>How we read the official code</summary>
#
# It (commit 91a48e2) tests a pixel like this: count the foreground components of the 3x3 cells *with* the pixel, and the background components of the same cells; if both numbers are 1, the pixel may flip. It calls `cv2.connectedComponents(patch, 4)` and `(1-patch, 8)`. But in OpenCV's Python the second argument is not the connectivity; that is the third. So the numbers are swallowed, and foreground and background **both have 8 neighbours**. With section 3 it is easy to see what follows: try all 256 neighbourhoods, once with *p* in the background (adding it) and once in the foreground (removing it).
#
# </details>

# %% published
def test_2022(cells, connectivity=None):
    """Return the verdict of the official code, as OpenCV carries it out: 8 neighbours for both."""
    return label(cells, connectivity=2).max() * label(~cells, connectivity=2).max() == 1


for name, some in (("adding", ALL), ("removing", WITH_P)):
    four, eight = (sum(test_2022(c) != is_simple(c, k) for c in some) for k in (1, 2))
    print(f"{name}: wrong for {four} of 256 if 4 and 8 are meant, for {eight} if 8 and 4 are")
start = drawn("........ .###.... .#.#..#. .###.... ........ ...#.... ....#... .....#.. ........")
goal = drawn("........ .###.... .###.... .###.... ........ ...#.... ........ .....#.. ........")
figure, axes = figures.parts(3)
for ax, rule in zip(axes, (None, test_2022, is_simple), strict=True):
    mask, name = (naive_warp(start, goal, rule), rule.__name__) if rule else (start, "start")
    figures.warp_masks(mask, goal, title=f"{name}: {betti_numbers(mask)}", ax=ax)
text = "A ring, a dot and a slant line; their warp by the 2022 test; by simple points."
figures.show(figure, text)

# %% published-meaning [markdown]
# The ring's hole is filled, the dot is deleted and the line is torn, by a warp that is to keep all three. With true simple points nothing flips: all three differences are critical. What does it do to the *loss*? Less than one might fear, because both ways are joined: what one warp wrongly deletes, the other one cannot make.
#
# There is also a limit that has nothing to do with any code. Predict for each of the four cases below how many pixels are critical.
#
# <details><summary>More on the test, and on the port in the last column</summary>
#
# All three differences are critical for 4 neighbours, too; the Betti numbers in the titles are for 8. Passing 4 and 8 as they were meant does not yet help: with the pixel left among the cells, and with corners counted that do not touch it, more than 60 of the 256 verdicts stay wrong either way. And some pixels that may flip are refused, and count as critical. Both tests get our order below, so that only the test differs. The official code asks each pixel only once and so leaves more.
#
# The last column is a public port, `WarpingLoss` of topolosses 0.2.0. Its arrays have one axis more than its loop expects, so that both indices are always 0, a place on the border, where it does nothing: **it never warps**. What it calls critical is each pixel whose predicted class differs from the *first channel* of the truth. In the code that it follows, this channel holds the labels. In the port the truth has one channel for each class, and where the background comes first, the pixels that differ from it are those that are *right*. Their cross-entropy, averaged over the image, is multiplied by what should be the number of critical pixels, but counts the array's axes: always 3.
#
# </details>

# %% cases
line = np.pad(np.ones((1, 10), bool), ((3, 3), (1, 1)))
CASES = {
    "one pixel too thick": line | np.roll(line, 1, 0),
    "one pixel missing": line & (np.arange(12) != 5),
    "moved by one pixel": np.roll(line, 1, 0),
    "moved by two pixels": np.roll(line, 2, 0),
}
print("number of pixels that ...     differ   simple points   2022 test   port")
for name, mask in CASES.items():
    counts = [critical_pixels(mask, line, rule).sum() for rule in (is_simple, test_2022)]
    port = (mask != ~line).sum()  # its first channel is the background
    print(f"{name:20}{(mask != line).sum():16}{counts[0]:16}{counts[1]:12}{port:7}")
ours, theirs = forth.critical | back.critical, critical_pixels(prediction, truth, test_2022)
counts = (prediction != truth).sum(), ours.sum(), theirs.sum()
print(f"vessels of section 5{counts[0]:16}{counts[1]:16}{counts[2]:12}")

# %% cases-meaning [markdown]
# - The first two cases are what a warp is for, and the test of 2022 gets them right, too. In a line moved by one pixel it finds ten critical pixels where there are none. On the vessels it finds 54, and true simple points 44 (50 if the foreground has 4 neighbours).
# - The last case is **our own limit**, and that of the definition. A line moved by two pixels does not touch the true line. Only pixels that differ may flip, so there is no way across the pixels in between, which are background in both masks: the mask shrinks to a dot, and the rest is critical. A warp forgives a displacement only as far as the two masks touch.
#
# To be fair: what the paper defines is sound, and its author published the code, so that anyone can look. As it stands, the official file stops in a debugger, so it is not quite the code of the experiments, and we do not know which test gave the paper's numbers. And a pixel loss beside it carries a training through all of this.

# %% exercise-1 [markdown]
# ## Exercises
#
# Each exercise has a stub to fill in, a checker that names what may have gone wrong, a hint, and a solution in [the solved notebook](./04_warp_masks_without_tearing.ipynb).
#
# ### 04.1 Simple pixels with a pencil
#
# Which *foreground* pixels of `exercises.PENCIL_MASK` are simple? 8 neighbours for the foreground, 4 for the background. Give a list of `(row, column)`.
#
# ```
#     0 1 2 3 4 5
# 0   # # # # . .
# 1   # . . # . .
# 2   # # . # . .
# 3   . . # # . #
# 4   . # . . . #
# ```
#
# <details><summary>Hint</summary>
#
# Pixels at the corner of a ring are often simple: the foreground cuts the corner. Pixels on the border have eight neighbours, too; those outside are background. And is the inside of the ring a hole?
#
# </details>

# %% exercise-1-stub
simple_pixels = None  # for instance [(0, 0), (4, 5)]

exercises.check("04.1", simple_pixels)

# %% exercise-1-solution tags=["solution"]
# (0, 0) and (0, 3): corners of the ring, their two neighbours meet over the corner; so (2, 0).
# (3, 3): its neighbours (2, 3) and (3, 2) meet over a corner. (4, 1), (3, 5), (4, 5): ends.
# (0, 1), (0, 2), (1, 0), (1, 3), (2, 1), (2, 3): ring pixels with a foreground part on either side.
# (3, 2): it carries the ring and the end (4, 1).
simple_pixels_solution = [(0, 0), (0, 3), (2, 0), (3, 3), (3, 5), (4, 1), (4, 5)]

exercises.check("04.1", simple_pixels_solution)

# %% exercise-2 [markdown]
# ### 04.2 Two at once
#
# All simple pixels could be flipped in one sweep, which a graphics card would do very fast. Show that this is wrong: give a mask and two of its pixels, each of which is simple, such that flipping *both* changes the Betti numbers.
#
# <details><summary>Hint</summary>
#
# Each of the two may rely on the other one staying where it is. They have to be neighbours. How wide is a line that two such pixels hold together?
#
# </details>

# %% exercise-2-stub
two_at_once = None  # a mask and two pixels: ([[0, 1, ...], ...], (row, column), (row, column))

exercises.check("04.2", two_at_once)

# %% exercise-2-solution tags=["solution"]
# In a bar of two pixels' width each of the two pixels in the middle may go, but not both.
two_at_once_solution = ([[1, 1, 1, 1, 1], [1, 1, 1, 1, 1]], (0, 2), (1, 2))

exercises.check("04.2", two_at_once_solution)


# %% exercise-3 [markdown]
# ### 04.3 Change the method: thin a mask to its skeleton
#
# Warp a mask towards *nothing*: each component without a hole shrinks to one pixel, because ends of lines are simple and go. Change the rule so that ends stay, and the warp leaves the skeleton. Write a rule for `naive_warp`: given 3x3 cells with foreground in the middle, it returns True if the pixel may go. It may if it is simple and is not an end, that is, if more than one of its eight neighbours is foreground.
#
# <details><summary>Hint</summary>
#
# You may use `is_simple`. `cells.sum()` also counts the pixel in the middle.
#
# </details>

# %% exercise-3-stub
def may_go(cells, connectivity=2):
    """Return whether the foreground pixel in the middle may go: simple, and not an end."""
    return None


exercises.check("04.3", may_go)


# %% exercise-3-solution tags=["solution"]
def may_go_solution(cells, connectivity=2):
    """The middle and one neighbour make an end."""
    return is_simple(cells, connectivity) and bool(cells.sum() > 2)


exercises.check("04.3", may_go_solution)

# %% exercise-3-played [markdown]
# On the truth of section 5: the plain rule leaves a dot, the new one a skeleton. It runs in the middle of the vessels because the order peels them layer by layer, and it has the topology of the vessels because every flip keeps it. No parameter was set. (Thinning by simple points is an old art, and clDice compares such skeletons.)

# %% exercise-3-play tags=["solution"]
nothing_solution = np.zeros_like(truth)
plain_solution = naive_warp(truth, nothing_solution)
thin_solution = naive_warp(truth, nothing_solution, may_go_solution)
row_solution = [truth, plain_solution, thin_solution]
counts_solution = ", ".join(map(str, map(betti_numbers, row_solution)))
figures.show(
    figures.image_row(row_solution, ["truth", "simple points", "simple points, ends kept"]),
    f"The truth, {truth.sum()} pixels, and what the two rules leave: {plain_solution.sum()} and "
    f"{thin_solution.sum()}. Betti numbers: {counts_solution}.",
)

# %% quiz-text [markdown]
# ## Ten questions
#
# Answer first, then unfold: behind every answer stands why it is right, or what it mixes up.

# %% quiz
exercises.quiz("04")

# %% practice [markdown]
# ## In practice
#
# - **Cost.** The verdicts of all 256 neighbourhoods fit into a table, and the waiting pixels into a heap: a warp of 256x256 pixels takes one to ten thousandths of a second, depending on how many pixels differ. It runs on the processor; from a GPU the logits are copied once a step.
# - **Beside a pixel loss, with a small weight.** Alone it says nothing about most pixels, and stops at one half (section 7). In the beginning of a training nearly everything is critical, so begin late.
# - **When it fails.** Masks that do not touch (section 8): thin structures that lie two pixels beside the truth count as missing. So do labels that are a little off. What is critical follows from the threshold one half; a prediction that is right by a hair is not looked at. And *which* pixels of a gap are critical follows from the order: another order closes the same gap elsewhere.
# - **Three dimensions.** The same two counts among 26 cells, with one more subtlety (Bertrand and Malandain 1994); the library has them.
# - **What critics say.** Valverde et al. (2025) compared eight losses: with a warping loss the errors in Betti numbers were larger than with plain Dice + cross-entropy (4.20 and 3.62 against 3.31 and 2.13 on their test images), after 152 hours of training against 3 for clDice. Their code tests pixels as the official one does, so this judges that code; [chapter 09](../09_run_a_full_training.ipynb) lets you train with true simple points (`loss = "warping"`). Lux et al. (2024) keep the idea of comparing masks instead of likelihoods, and replace the order of flips by a graph of the regions in which the two masks agree or differ.
#
# ## Summary
#
# You decided by hand whether a pixel is simple (1), did it in naive code (2), saw library and GUDHI agree on all neighbourhoods (3), warped a mask and explained what is critical (4, 5), played a warp flip by flip (6), turned critical pixels into a loss and saw what its descent does and leaves undone (7), and found a wrong test and a limit by trying (8).
#
# ## Further reading
#
# - X. Hu, "Structure-aware image segmentation with homotopy warping" (2022), [arXiv:2112.07812](https://arxiv.org/abs/2112.07812): the paper of this chapter.
# - V. Jain et al., "Boundary learning by optimization with topological constraints" (2010), [doi:10.1109/CVPR.2010.5539950](https://doi.org/10.1109/CVPR.2010.5539950): warping masks by simple points to judge and to train a segmentation, the warping error; where the idea comes from.
# - T. Y. Kong and A. Rosenfeld, "Digital topology: introduction and survey" (1989), [doi:10.1016/0734-189X(89)90147-3](https://doi.org/10.1016/0734-189X%2889%2990147-3): simple points and why the two connectivities differ.
# - G. Bertrand and G. Malandain, "A new characterization of three-dimensional simple points" (1994), [doi:10.1016/0167-8655(94)90046-9](https://doi.org/10.1016/0167-8655%2894%2990046-9): the same for volumes.
# - L. Lux et al., "Topograph: an efficient graph-based framework for strictly topology preserving image segmentation" (2024), [arXiv:2411.03228](https://arxiv.org/abs/2411.03228): critical regions instead of critical pixels.
# - J. M. Valverde, M. Koga, N. Otsuka and A. B. Dahl, "TopoMortar: A dataset to evaluate image segmentation methods focused on topology accuracy" (2025), [arXiv:2503.03365](https://arxiv.org/abs/2503.03365): the comparison quoted above.
# - X. Hu, "Learning Topological Representations for Deep Image Understanding" (2024), [arXiv:2403.15361](https://arxiv.org/abs/2403.15361): the dissertation that this workbook follows.
#
# ## Next
#
# [Chapter 05](05_read_ridges_with_discrete_morse_theory.ipynb) leaves masks and goes back to the likelihood: it reads from it whole branches instead of single pixels. Before you go on, **shut this kernel down** (menu *Kernel*, *Shut Down Kernel*): it holds memory that the next chapter can use.
