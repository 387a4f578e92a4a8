# %% c00 [markdown]
# # Train with a Morse loss
#
# **At the end** you can say of every marked pixel in this picture which of three losses pulls at it, and why; choose between skeleton and patches and set their parameters; and judge the Morse loss against the other two on the same budget.
#
# ![The same likelihood of retinal vessels three times, with the pixels that a loss raises or lowers. The topological loss marks a few single pixels, the warping loss short rows in the gaps, the Morse loss every ridge along its whole length, false ones in the dark included.](../images/06.png)
#
# **Time:** 40 minutes to read, 65 with exercises.
#
# **You need** [chapter 05](05_read_ridges_with_discrete_morse_theory.ipynb): skeleton, persistence, saddle level, patches. Sections 4 and 8 compare with [chapter 03](03_train_with_a_topological_loss.ipynb) and [chapter 04](04_warp_masks_without_tearing.ipynb).
#
# **You will be able to**
#
# - compute the loss and its gradient with a pencil, on a skeleton and on the borders of patches;
# - show on a photograph what it sees that the losses of chapters 03 and 04 do not, and the other way round;
# - say what each parameter does, and why a saddle level that mends a skeleton can blind a loss;
# - choose skeleton, patches, or the structures of the truth for a task;
# - judge a small training of four losses by a fair comparison.

# %% c01 tags=["parameters"]
SEED = 0  # of the networks, their crops and the synthetic images
PERSISTENCE = 0.1  # structures of the prediction of at most this persistence are taken for noise
PARENT_STEPS, STEPS = 100, 80  # of training without, and then with an added loss
OPTIONS = {"min_persistence": PERSISTENCE, "saddle_level": 0.0, "dilation": 0, "of": "prediction"}
WEIGHTS = (0.3, 1.0)  # of the Morse loss beside Dice + cross-entropy, to choose from

# %% c02
import gudhi
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from scipy.special import expit, logit
from skimage import measure, segmentation
from skimage.filters import gaussian
from torch.nn import functional as F

from toposeg_lite import exercises, figures
from toposeg_lite.data import Sample, load_dataset, photos, synthetic
from toposeg_lite.losses import HomotopyWarpingLoss, MorseLoss, TopologicalLoss
from toposeg_lite.topology import betti_numbers, morse_complex

torch.set_num_threads(1)  # so that the number of cores changes no digit
print(f"torch: version {torch.__version__}, gudhi: version {gudhi.__version__}")


# %% c03 [markdown]
# ## Predict first
#
# A network looks at a membrane between two cells. It sees the wall, with a weak spot, and it sees something beside the wall that is not there:
#
# ```
# likelihood                       truth
#
# .2   .1   .2   .8   .2   .1      . . . # . .
# .1   .2   .1   .9   .1   .2      . . . # . .
# .1   .1   .2   .4   .1   .1      . . . # . .
# .2   .65  .3   .85  .2   .1      . . . # . .
# .1   .1   .2   .7   .1   .2      . . . # . .
# ```
#
# You know two kinds of ridges from chapter 05: the **skeleton**, the ways from a pass up to its peaks; and the **borders of patches**, where the basins of two pits meet. Let branches and pits count that have a persistence above .15, and let a loss be the cross-entropy on these pixels only. Write down, before you go on:
#
# 1. On which pixels does it pull if it takes the skeleton, and which way at each? And on the borders of patches?
# 2. Which of the two can see that the .65 is false?
# 3. Chapter 05 cut false bridges with a saddle level. Somebody who has read it sets it to .5 here. What becomes of the weak spot?
#
# <details><summary>Answer</summary>
#
# 1. The skeleton has five pixels: .9, .4 and .85 of the wall, which are raised, and .3 and .65 beside it, which are lowered. The borders have five, too: the whole wall, all raised. 2. The skeleton. A speck divides nothing, so it borders on nothing. 3. It is cut out of the skeleton, and nothing raises it any more.
#
# </details>

# %% c04 [markdown]
# ## 1. By hand
#
# ```
# skeleton         borders of patches
#
# . . . . . .      . . . # . .
# . . . # . .      . . . # . .
# . . . # . .      . . . # . .
# . # # # . .      . . . # . .
# . . . . . .      . . . # . .
# ```
#
# *Skeleton.* There are three peaks, .9, .85 and .65, and two passes between them: .4 in the wall and .3 on the way to the speck. Towards both ends the wall only gets fainter; no pass lies there, so the skeleton stops short. *Patches.* There are two cells, and their basins meet along the whole wall, up to the border of the image.
#
# Call these pixels $M$, the likelihood $f$ and the truth $y$. The **Morse loss** of Hu et al. (2021), which they call DMT loss, is the cross-entropy on $M$ and nowhere else:
#
# $$L = -\frac{1}{|M|} \sum_{M} y \ln f + (1 - y) \ln (1 - f).$$
#
# $M$ is a set and has no gradient. So we hold it fixed, as in chapter 04, and the gradient by logit is simple: $(f - y) / |M|$ on $M$ and 0 elsewhere.
#
# | skeleton | $f$ | $y$ | cost | gradient | | borders | $f$ | $y$ | cost | gradient |
# |---|---|---|---|---|---|---|---|---|---|---|
# | (1, 3) | .9 | 1 | .105 | -.02 | | (0, 3) | .8 | 1 | .223 | -.04 |
# | (2, 3) | .4 | 1 | .916 | -.12 | | (1, 3) | .9 | 1 | .105 | -.02 |
# | (3, 3) | .85 | 1 | .163 | -.03 | | (2, 3) | .4 | 1 | .916 | -.12 |
# | (3, 2) | .3 | 0 | .357 | .06 | | (3, 3) | .85 | 1 | .163 | -.03 |
# | (3, 1) | .65 | 0 | 1.050 | .13 | | (4, 3) | .7 | 1 | .357 | -.06 |
#
# The sums are 2.591 and 1.764, so $L$ = .518 for the skeleton and .353 for the borders. Both raise the weak spot most of all in the wall: a ridge leads *over* its weak spot, however weak it is. That is the idea of the loss.

# %% c05 [markdown]
# ## 2. The same in naive code
#
# The naive code of the skeleton is in chapter 05, section 2. What is missing there is the patches. Turn the picture around: let *water* rise. Each pit makes a lake. A pixel that the water reaches belongs to the basin of its lowest neighbour (4 of them: the dual of the ridges' 8). Where two lakes run together, the one with the higher pit has its persistence: this pixel minus that pit. At most the threshold, and its basin is given to the other one; more, and a border stays, a dam between the two.

# %% c06
def naive_patches(image, persistence):
    """Let water rise from below; return {pixel: the pit of its patch}."""
    basin, lake, merged = {}, {}, {}

    def root(tree, pit):
        return root(tree, tree[pit]) if pit in tree else pit

    for r, c in sorted(np.ndindex(image.shape), key=lambda p: image[p]):
        beside = ((r - 1, c), (r, c - 1), (r, c + 1), (r + 1, c))
        wet = sorted((q for q in beside if q in basin), key=lambda q: image[q])
        basin[r, c] = basin[wet[0]] if wet else (r, c)
        for q in wet[1:]:
            lakes = {root(lake, basin[p]): basin[p] for p in ((r, c), q)}
            if len(lakes) == 2:  # two lakes run together: the higher pit has its persistence
                low, high = sorted(lakes, key=lambda pit: image[pit])
                lake[high] = low
                merged |= {high: lakes[low]} if image[r, c] - image[high] <= persistence else {}
    return {p: root(merged, pit) for p, pit in basin.items()}


# %% c07
def naive_borders(image, patch):
    """Mark the higher of two pixels side by side in different patches; both if they are equal."""
    found = np.zeros(image.shape, bool)
    for p, q in ((p, (p[0] + i, p[1] + j)) for p in patch for i, j in ((0, 1), (1, 0))):
        if q in patch and patch[p] != patch[q]:
            found[p] |= image[p] >= image[q]
            found[q] |= image[q] >= image[p]
    return found


def pull(loss, image, truth):
    """Return the value of a loss of the library and its gradient by logit."""
    logits = torch.tensor(image).clamp(1e-4, 1 - 1e-4).logit()[None, None].requires_grad_()
    value = loss(logits, torch.tensor(truth)[None])
    return value.item(), torch.autograd.grad(value, logits)[0][0, 0].numpy()


# %% c08 [markdown]
# ## 3. Pencil, naive code, library, torch and GUDHI agree
#
# Three judges. GUDHI counts the pits that are worth more than the threshold: there must be as many patches. Torch has a cross-entropy, but no sets of pixels; so it gets the products $M f$ and $M y$, as the paper writes the loss, $L_{bce}(M \circ f, M \circ y)$. Outside of $M$ both are 0 and cost nothing, so the sum is the same; only torch divides it by the number $N$ of all pixels, and the paper's $L$ is $|M| / N$ times ours. (So the weights of the two are not comparable.) And the gradient by formula is compared with that of the library. Besides the wall we take random hills of 40 rows and 60 columns.

# %% c09
WALL = np.array([[20, 10, 20, 80, 20, 10], [10, 20, 10, 90, 10, 20], [10, 10, 20, 40, 10, 10],
                 [20, 65, 30, 85, 20, 10], [10, 10, 20, 70, 10, 20]]) / 100
TRUTH = np.arange(30).reshape(5, 6) % 6 == 3
hills = gaussian(np.random.default_rng(SEED).random((40, 60)), 1)
for f, y, t in ((WALL, TRUTH, 0.15), (hills, hills > 0.5, 0.05), (hills, hills > 0.5, 0.15)):
    patch, lakes = naive_patches(f, t), gudhi.CubicalComplex(vertices=f).persistence()
    pits = sum(death - birth > t for dimension, (birth, death) in lakes if dimension == 0)
    print(f"persistence {t}: {len(set(patch.values()))} patches, by GUDHI {pits}")
    skeleton, borders = morse_complex(f).skeleton(t).mask, naive_borders(f, patch)
    for kind, M in (("skeleton", skeleton), ("patches", borders)):
        naive, slopes = -np.log(np.where(y, f, 1 - f)[M]).mean(), M * (f - y) / M.sum()
        library, gradient = pull(MorseLoss(structure=kind, min_persistence=t), f, y)
        product = F.binary_cross_entropy(torch.tensor(M * f), torch.tensor(1.0 * M * y))
        print(f"  {kind}: naive {naive:.4f}, library {library:.4f},", end=" ")
        differ = np.abs(slopes - gradient).max()
        print(f"torch {product * M.size / M.sum():.4f}; slopes {differ:.4f}")

# %% c10 [markdown]
# ## 4. Three losses on one photograph
#
# The crop of chapters 03 and 04 again (retina by Mikael Häggström, CC0; the truth is this project's silver mask), with the dim spot that breaks a thick vessel. The same likelihood, three losses. Predict for each: at how many of the 9216 pixels does it pull, and at which?
#
# A triangle that points up is raised, one that points down is lowered; the larger, the stronger.

# %% c11 tags=["end-product"]
photo, window = photos.retina(), np.s_[800:1312:2, 240:752:2]
vessels, mask = photos.vesselness(photo.image)[window], photo.mask[window] != 0
spot = ((np.indices((256, 256)).T - (183, 128)) ** 2).sum(-1).T
vessels *= 1 - 0.75 * np.exp(-spot / 18)  # the dim spot
crop, truth = vessels[144:240, 86:182], mask[144:240, 86:182]
rank, warps = TopologicalLoss(matching="rank", min_persistence=0.1), HomotopyWarpingLoss()
LOSSES = {"topological": rank, "warping": warps, "Morse": MorseLoss(min_persistence=PERSISTENCE)}
figure, axes = figures.parts(3)
slopes = {name: pull(loss, crop, truth)[1] for name, loss in LOSSES.items()}
for ax, name in zip(axes, LOSSES, strict=True):
    figures.image_with_pull(crop, -slopes[name], truth=truth, title=name, ax=ax)
text = "The same likelihood under three losses, which pull at {}, {} and {} of its 9216 pixels."
figures.show(figure, text.format(*map(np.count_nonzero, slopes.values())), dpi=100)

# %% c12 [markdown]
# - **Topological** (chapter 03): single pixels, at the top and at the weakest link of each piece. It knows how many pieces there should be, not where; the faint vessel at the top is one piece too many, and its brightest part is *lowered*.
# - **Warping** (chapter 04): short rows and threads in the gaps, where the topology of the mask at one half is wrong. All of them are on true vessels. But what lies beyond the end of the faint vessel is no matter of topology, and gets nothing.
# - **Morse**: whole ridges. The faint vessel is raised along its whole length, far beyond what one half shows of it, and so is the vessel at the right border. The gap gets its share, a small one: it is 10 of 414 pixels. And it *lowers* 98 pixels: two false bridges through the dark, along the right and the lower border. Chapter 05 called them the skeleton's worst fault. For a loss they are welcome: it looks wherever the network *suspects* something, and tells it the truth there.
#
# Now descend, as in chapters 03 and 04: change the logits of the crop against the gradient, 40 steps. (The losses have different sizes, so each gets its own step length, tried out by hand.) *Gap* is the weakest link between the two sides of the spot, *faint vessel* the brightest pixel of the far part of the vessel at the top, *wrong* the number of wrong pixels at one half.

# %% c13
def weakest_link(f):
    """Return the highest threshold, in steps of .01, at which both sides of the gap are joined."""
    for t in range(99, -1, -1):
        parts = measure.label(f >= t / 100)
        one, other = parts[20, 16], parts[50, 62]
        if one == other > 0:
            return t / 100


def descend(loss, rate, steps=40):
    """Yield step, likelihood and gradient by logit of a descent on the crop."""
    f = np.clip(crop, 1e-4, 1 - 1e-4)
    for step in range(steps + 1):
        slopes = pull(loss, f, truth)[1]
        yield step, f, slopes
        f = expit(logit(f) - rate * slopes)


# %% c13-descent
RATES = {"topological": 10, "warping": 5, "Morse": 60}
(figure, axes), seen = figures.parts(3), {}
print("loss         step  pulled  lowered  wrong  Betti numbers   gap  faint vessel")
for name, loss in LOSSES.items():
    for step, f, slopes in descend(loss, RATES[name]):
        if step not in (0, 10, 40):
            continue
        mask = f >= 0.5
        pulled, lowered, wrong = (slopes != 0).sum(), (slopes > 0).sum(), (mask != truth).sum()
        tip = f[:16, 45:80].max()
        print(f"{name:12} {step:4} {pulled:7} {lowered:8} {wrong:6}", end="  ")
        print(f"{betti_numbers(mask)} {weakest_link(f):12.2f} {tip:13.2f}")
        if name == "Morse":
            seen[step] = f, slopes
for ax, (step, (f, slopes)) in zip(axes, seen.items(), strict=True):
    figures.image_with_pull(f, -slopes, truth=truth, title=f"step {step}", ax=ax)
text = "The pull of the Morse loss at the steps 0, 10 and 40 of its descent."
figures.show(figure, text)

# %% c14 [markdown]
# All three reach the Betti numbers of the truth, (1, 0). But look at the ends:
#
# - The topological loss closes the gap well (.78) and lets the faint vessel sink below one half (.43): joined here, removed there (chapter 03, section 6).
# - Warping keeps the faint vessel and stops at one half: the gap hangs at .51.
# - The Morse loss closes the gap as well (.78) *and* raises the faint vessel (.82). It does not stop at one half, for it does not look at masks. And it sets the most pixels right: 87 of 528 (warping 36, topological 2).
#
# Three weaknesses are in the pictures, too. The risen vessel is a bright **line of one pixel**, its sides are as dark as before: for the width, there is the pixel loss beside it. At step 40 this line carries no sign any more: all of its passes are less than .1 below its peaks, so nothing there counts as a structure; the loss **goes to sleep** on ridges that are flat. And what it has pressed down comes up **elsewhere**: the lowered pixels of step 40 are not those of step 0. Any likelihood has a most persistent false bridge. (To play these descents step by step, open the explorer of [chapter 03](03_train_with_a_topological_loss.ipynb), section 5, on the same crop: choose *morse* or *morse, of both* under *Loss*.)

# %% c15 [markdown]
# ## 5. What each parameter does
#
# A structure is good if it finds what is wrong and pulls there. So count for ten settings, on the crop as it was at first: the *pixels* of $M$; how many of them are *true*; how many of the 528 *mistakes* at one half lie in $M$; the pixels of $M$ *in the gap*; and the *pull in the gap*, its share of all pull. What is not named is as in the second row. Predict the row of `saddle_level=0.35` (the weakest link of the gap is .30).

# %% c16
wrong, (rows, columns) = (crop >= 0.5) != truth, np.indices(truth.shape)
near = truth & (np.hypot(rows - 39, columns - 42) <= 6)
print(" " * 32 + "pixels  true  mistakes  in gap  pull in gap")
for options in (
    {"min_persistence": 0}, {"min_persistence": 0.1}, {"min_persistence": 0.3},
    {"min_persistence": 0.6}, {"saddle_level": 0.35}, {"dilation": 1},
    {"of": "truth"}, {"of": "both"},
    {"structure": "patches"}, {"structure": "patches", "of": "both"},
):
    slopes = pull(MorseLoss(**{"min_persistence": 0.1} | options), crop, truth)[1]
    M, share = slopes != 0, np.abs(slopes[near]).sum() / np.abs(slopes).sum()
    said = " ".join(f"{name}={value}" for name, value in options.items())
    print(f"{said:30} {M.sum():7} {truth[M].mean():5.0%}", end="")
    print(f"{M[wrong].mean():10.0%} {M[near].sum():7} {share:12.1%}")

# %% c17 [markdown]
# - **`min_persistence`** says what counts as a structure. At 0 every wrinkle does: 1910 pixels, most of them false. At .6 only the strong vessels and the gap between them are left, and the gap gets 31 % of the pull, but the faint vessel (worth less) is gone, and with it nearly all mistakes. Small values see more, large ones see sharper.
# - **`saddle_level`** cuts where the likelihood is low, and that is where a break is. At .35 the skeleton is clean, all of it on true vessels, and **blind**: not one pixel in the gap. What made a good skeleton in chapter 05 spoils the loss. The library's default is 0.
# - **`dilation`** widens $M$. With one pixel, 60 % of the mistakes are in it instead of 18 %: a step towards an ordinary pixel loss. It helps where labels are off by a pixel.
# - **`of`** says whose structures. Those of the prediction (the paper's choice) show what the network has made up, but not what it has not noticed at all: no ridge, no pull. Those of the truth show the second and not the first. "both" shows both.
# - **`weight`**, of the loss as a whole beside the pixel loss, is chosen on validation images (section 8).
#
# The last two rows belong to the next section.

# %% c18 [markdown]
# ## 6. Walls between cells: patches
#
# `structure` is the first choice. Here is a piece of a synthetic electron micrograph (chapter 05, section 7), and a small formula in place of a network. The cell first asks scikit-image: its watershed, started from the same pits, must draw the same borders.

# %% c19
drawing, window, t = synthetic.membranes(seed=SEED), np.s_[60:156, 100:196], 0.15
smooth = gaussian(drawing.image[0], 2)
walls, cells = ((smooth.max() - smooth) / np.ptp(smooth))[window], drawing.mask[window]
patch, seeds = naive_patches(walls, t), np.zeros(walls.shape, int)
seeds[tuple(zip(*set(patch.values()), strict=True))] = range(1, 1 + len(set(patch.values())))
flood = dict(np.ndenumerate(segmentation.watershed(walls, seeds)))
ours, theirs = naive_borders(walls, patch), naive_borders(walls, flood)
shared = (ours & theirs).sum() / (ours | theirs).sum()
print(f"{shared:.1%} of the borders are the watershed's, too")
(figure, axes), text = figures.parts(3), "Membranes, raised and lowered pixels:"
shown = ("skeleton", "prediction"), ("patches", "prediction"), ("patches", "both")
for ax, (kind, of) in zip(axes, shown, strict=True):
    slopes = pull(MorseLoss(structure=kind, of=of, min_persistence=t), walls, cells)[1]
    figures.image_with_pull(walls, -slopes, truth=cells, title=f"{kind}, of {of}", ax=ax)
    text += f" {kind}, of {of}: {(slopes < 0).sum()} and {(slopes > 0).sum()};"
figures.show(figure, text[:-1] + ".", dpi=100)

# %% c20 [markdown]
# - The **skeleton** has branches to bright specks inside the cells, and lowers them: a patch's border never would, for a dead end divides nothing. On the other hand it stops short where a wall only fades towards the border of the image (left and top).
# - The **patches** have their walls from end to end, and not one false pixel. But look at the fork below the middle: one of its arms has a gap so deep that the cell beside it is worth no more than .15. So cells run together to one patch, and the *whole walls* between them are gone from $M$, just those that need help.
# - **Of both** brings it back: the truth knows where the wall is.
#
# So: skeleton for lines with ends (vessels, cracks, roads), patches for walls that enclose (membranes, mortar), and never patches where a line may end. In 3D the two differ even more: a skeleton is made of curves, the borders of patches are surfaces.

# %% c21 [markdown]
# ## 7. What the published code does differently
#
# The repository of the paper offers the extraction of structures, by programs and files as chapter 05 (section 6) tells, and a watershed with persistence beside it; it has no loss, so whoever wants to train has to write that part. What matters most for a training is that likelihoods are reduced to eight bits, and the next cell shows why.
#
# | | published code | here |
# |---|---|---|
# | loss | none | cross-entropy on the structures |
# | time for 256x256 pixels | about four seconds (chapter 05) | about an eighth of a training step |
# | values | whole grey values, 0 to 255 | floats |
# | watershed | threshold of persistence .0005 on a scale of 255 | one scale for values and threshold |
#
# <details><summary>How we read it, for a training</summary>
#
# - **There is no loss in it.** Its four Python files extract structures from an image; none compares them with a truth or makes a gradient. The watershed its [README](https://github.com/HuXiaoling/DMT_loss/blob/085595612180409c877bd3da3c09568a7096d613/README.md) calls "a relaxed version of morse structure" (our patches are of this kind).
# - **It is slow for a training.** At about four seconds for an image of 256x256 (chapter 05), a thousand steps with four images each would wait for more than four hours. Here the loss takes about an eighth of each step (section 8).
# - **The watershed** ([persistence_ws.py](https://github.com/HuXiaoling/DMT_loss/blob/8c1f54dc961fa7e382cd6fcdc9504ecb044d35e4/persistence_ws/persistence_ws.py)) reads whole grey values from 0 to 255, but its threshold of persistence is .0005, a number for likelihoods: only plateaus are merged. A pixel goes to the first of its lower neighbours, not to the lowest one.
# - **Eight bits.** The script that hands the likelihood over rounds it to whole grey values, [`int(-f * 255)`](https://github.com/HuXiaoling/DMT_loss/blob/de4a3ef5a22833e93c8ec28529f6308aa5ada267/morse_DMT/write_dipha_file_3d_revise.py). Chapter 05 showed what is lost of a skeleton.
#
# </details>
#
# A network that is sure of itself has found a vessel with a gap. In the gap a faint trace is left, .003 where the dark is .001. To the eye both are black, but the *order* of the values still knows the way. The next cell descends with $M$ from floats and with $M$ from eight bits, all else equal.

# %% c22
f, path = np.full((5, 9), 0.001), ([1, 1, 1, 1, 2, 3, 3, 3, 3], range(9))
f[path] = [0.95] * 3 + [0.003] * 3 + [0.95] * 3
y, figure = f > 0.002, Figure(figsize=(11.6, 3.3), layout="constrained")
reads = {"floats": lambda f: f, "8 bits": lambda f: np.floor(255 * f) / 255}
for ax, (name, seen) in zip(figure.subplots(1, 2), reads.items(), strict=True):
    logits = logit(f)
    for step in range(31):
        now = expit(logits)
        M = morse_complex(seen(now)).skeleton(0.1).mask
        if step == 0:
            figures.pixel_values(f, mask=M, title=f"M, from {name}", ax=ax)
        logits -= 3 * M * (now - y) / M.sum()
    print(f"{name}: {M[y].sum()} of {M.sum()} pixels of M are true; gap at {now[1, 3]:.3f}")
text = "A gap with a faint trace: M from floats follows it, M from 8 bits crosses the dark "
figures.show(figure, text + "elsewhere.")

# %% c23 [markdown]
# From floats, $M$ follows the trace, and after 30 steps the vessel is one. (It leaves out the end at the right: where all is equal nothing is a ridge, and one pixel stands for the whole stretch.) In eight bits .003 and .001 are both 0. On such a plateau no way leads up, and what one sees is the order of reading; three of its seven pixels are false. They are lowered, and stay 0; the true ones beside them are not in $M$, so nothing raises them, and the same $M$ is found again in every step. **The gap stays, for good.**
#
# To be fair: this takes likelihoods below 1/255, so it concerns sure networks, late in a training; a pixel loss beside it pulls at the gap as well; and we do not know what the experiments of the paper ran on. What the paper defines is sound, and sections 1 to 6 follow it.

# %% c24 [markdown]
# ## 8. A small training
#
# Now networks, on synthetic membranes, where the truth is exact. The comparison is that of chapter 03: one parent, trained with Dice + cross-entropy; a control that goes on like this; and four arms that go on with a loss added, on the same crops in the same order, for the same number of steps. `Study` does it and chooses the weight of each arm, from two values, on the validation images; then it scores the ten test images, once. The network is small (depth 3, width 8) and the training short.
#
# Predict from sections 4 to 6: who removes specks, the skeleton or the patches? Who closes walls? Who will be best?

# %% c25 tags=["nbval-ignore-output"]
from tempfile import TemporaryDirectory

from IPython.display import Markdown
from toposeg_lite.workbook.studies import Arm, Study, StudyConfig, study_tables

small = {"patch": 80, "width": 8, "depth": 3, "learning_rate": 3e-3}
steps = {"pretrain_steps": PARENT_STEPS, "finetune_steps": STEPS}
arms = [
    Arm("topological", "topological", {"matching": "rank"}, (0.3, 1)),
    Arm("warping", "warping", {}, (0.03, 0.1)),
    Arm("skeleton", "morse", {"structure": "skeleton"} | OPTIONS, WEIGHTS),
    Arm("patches", "morse", {"structure": "patches"} | OPTIONS, WEIGHTS),
]
data, folder = load_dataset("membranes"), TemporaryDirectory()
settings = {"dataset": "membranes", "arms": arms, "seeds": (SEED,)}
config = StudyConfig.from_parameters(**settings, **steps, **small)
study = Study(config, folder.name, data=data, say=lambda line: None)
results = study.run()
display(Markdown(study_tables(results)))

# %% c26 tags=["nbval-ignore-output"]
from toposeg_lite.differences import count_kinds, topology_differences
from toposeg_lite.training import evaluate, load_checkpoint
from toposeg_lite.workbook.figures.differences import comparison_figure

whole, here = data.test[1], np.s_[160:256, 32:128]
masks, found, counts = {}, {}, {}
for name in ("control", *(arm.name for arm in arms)):
    weight = results["networks"][name][str(SEED)]["weight"]
    file = "control" if name == "control" else f"{name}-{weight:g}"
    model = load_checkpoint(f"{folder.name}/seed{SEED}/{file}.safetensors").model()
    likelihoods = evaluate(model, data.test, labels=data.labels).likelihoods
    places = []
    for sample in data.test:
        places += topology_differences(likelihoods[sample.name] >= 0.5, sample.mask)
    counts[name] = count_kinds(places)
    piece = likelihoods[whole.name][here] >= 0.5
    masks[name], found[name] = [piece], [topology_differences(piece, whole.mask[here])]
display(pd.DataFrame(counts))
shown = [Sample("test", whole.image[:, *here], whole.mask[here])]
text = "Part of a test image, its reference, and what five networks find."
figures.show(comparison_figure(shown, masks, found, side=2.1), text)

# %% c27 [markdown]
# Compare with the control, not with the parent. The tables above are of *your* run; another seed or another processor gives other digits. So the sentences here are about five stored runs of these cells, with the seeds 0 to 4 ([small-trainings.json](../reference_runs/small-trainings.json), made by `python tools/train_small.py 0 1 2 3 4`). Does yours fit in?
#
# - The **skeleton** lowered the Betti-0 error in all five, by 26 to 49 %, and left 18 to 61 % fewer specks. The **patches** did not: between one speck less and ten more than the control, for they cannot see a speck. They close walls: missing holes were never more than the control's, and up to three fewer. That is what section 6 made us expect; but three holes in ten images are not much to judge by.
# - **Neither is the best.** In all five the smallest Betti-0 error was that of the topological loss (44 to 73 % below the control) or of warping (33 to 54 %), and the topological loss was ahead of the skeleton each time. Why? You have seen the reasons. To the topological loss a speck is *one* peak, and a good part of its whole pull goes there; to the Morse loss it is a few pixels among hundreds, most of which lie on good walls and need nothing (the mean over $M$, section 5). And its strength, long structures that are faint, is hardly asked for here: the control has 9 to 13 breaks in ten images.
# - **Every arm pays** a little Dice, less than a hundredth.
#
# So there is a case for either. But ten synthetic images and a minute of training are a demonstration, not evidence. What counts is a larger training: more steps, several seeds, real images. Such studies are stored, and [chapter 10](10_compare_and_ablate.ipynb) reads them, with intervals and tests: on one set of five, mortar between bricks, the loss on skeletons leaves 39 % fewer errors than the control, on the other four no fewer to speak of; that on patches takes away 5 % at most. [Chapter 09](../09_run_a_full_training.ipynb) makes a comparison of your own with `loss = "morse"`.

# %% c31 [markdown]
# ## Exercises
#
# Each exercise has a stub to fill in, a checker that names what may have gone wrong, a hint, and a solution in [the solved notebook](./06_train_with_a_morse_loss.ipynb).
#
# ### 06.1 A gradient with a pencil
#
# Write down the gradient by *logit* of the Morse loss (skeleton of the prediction, persistence .1) at each of the six pixels: a list of six numbers.
#
# | likelihood | .1 | .8 | .3 | .9 | .2 | .6 |
# |---|---|---|---|---|---|---|
# | **truth** | 0 | 1 | 1 | 1 | 0 | 0 |
#
# <details><summary>Hint</summary>
#
# There are three peaks and two passes. The skeleton leads from the first peak to the last; how many pixels is that? Then it is a subtraction and a division for each.
#
# </details>

# %% c32
strip_gradient = None  # for instance [0.0, 0.1, -0.2, 0.0, 0.0, 0.0]

exercises.check("06.1", strip_gradient)

# %% c33 tags=["solution"]
# M leads from .8 over .3, .9 and .2 to .6: five pixels; .1 lies on a slope. There (f - y) / 5:
# (.8 - 1) / 5, (.3 - 1) / 5, (.9 - 1) / 5, .2 / 5, .6 / 5.
strip_gradient_solution = [0.0, -0.04, -0.14, -0.02, 0.04, 0.12]

exercises.check("06.1", strip_gradient_solution)

# %% c34 [markdown]
# ### 06.2 Choose the parameters
#
# The wall of section 1 once more, but of its lower half the network sees nothing at all. The truth is the whole column 3, and the speck at (3, 1) is false.
#
# ```
# .2   .1   .2   .8   .2   .1
# .1   .2   .1   .9   .1   .2
# .1   .1   .2   .15  .1   .1
# .2   .65  .15  .1   .2   .1
# .1   .1   .2   .1   .1   .2
# ```
#
# Give options of `MorseLoss`, a dict, with which $M$ is exactly the five pixels of the wall *and* the speck: what was overlooked is raised, what was made up is lowered, and nothing else is touched.
#
# <details><summary>Hint</summary>
#
# No ridge of the likelihood shows the lower half: whose structures do? And when the speck is in $M$, so may be a way that leads to it through the dark. You have a threshold against that, and here it does no harm.
#
# </details>

# %% c35
chosen_options = None  # for instance {"structure": "skeleton", "min_persistence": 0.15}

exercises.check("06.2", chosen_options)

# %% c36 tags=["solution"]
# "both" brings the overlooked half of the wall (truth) and the speck (prediction). The way from the
# speck to the wall leads over passes of .2 and less; a saddle level of .3 cuts it.
exercises.check("06.2", {"structure": "skeleton", "of": "both", "saddle_level": 0.3})


# %% c37 [markdown]
# ### 06.3 Change the method: let strong branches speak louder
#
# A threshold of persistence is a hard choice: at .1, the gap of section 4 gets 4 % of the pull, for it is a small part of a long $M$; at .6 it gets 31 %, but the faint vessel is lost. Replace yes or no by a *weight*: a pixel of $M$ weighs as much as the most persistent branch that runs through it, and the loss is the weighted mean. Write it as a function of `paths` (a list with the flat indices of the pixels of each branch), `persistence` (one number for each branch) and `cost` (the cross-entropy of each pixel of the image, flat), which returns one number.
#
# <details><summary>Hint</summary>
#
# Start from weights of zero, one for each pixel of the image. Branches share pixels, and a path may even have a pixel twice: keep the largest. Then a weighted mean: what do you divide by?
#
# </details>

# %% c38
def weighted_loss(paths, persistence, cost):
    """Return the mean of cost over the branches, weighted by persistence."""
    return None


exercises.check("06.3", weighted_loss)


# %% c39 tags=["solution"]
def weighted_loss_solution(paths, persistence, cost):
    """The largest worth wins; divide by the sum of the weights."""
    weight = np.zeros(len(cost))
    for path, worth in zip(paths, persistence, strict=True):
        weight[path] = np.maximum(weight[path], worth)
    return (weight * cost).sum() / weight.sum()


exercises.check("06.3", weighted_loss_solution)

# %% c40 [markdown] tags=["solution"]
# Try it on the crop. The pull at a pixel is now its weight times $|f - y|$, and no threshold is needed: all branches of the crop count. The gap gets 18 % of the pull, four times as much as at persistence .1, and the faint vessel keeps 30 of its 36 %. There is a price: a persistent false bridge is lowered with the same force, though nobody would have seen it at one half.

# %% c41 tags=["solution"]
branches_solution = morse_complex(crop).branches()
faint_solution = truth & (np.indices(truth.shape)[0] < 16) & (np.indices(truth.shape)[1] >= 45)
weight_solution = np.zeros(crop.size)
for path_solution, worth_solution in zip(branches_solution.paths, branches_solution.persistence):
    weight_solution[path_solution] = np.maximum(weight_solution[path_solution], worth_solution)
for name_solution, on_solution in (
    ("persistence 0.1", morse_complex(crop).skeleton(0.1).mask),
    ("persistence 0.6", morse_complex(crop).skeleton(0.6).mask),
    ("weighted", weight_solution.reshape(crop.shape)),
):
    force_solution = on_solution * np.abs(crop - truth)
    force_solution /= force_solution.sum()
    gap_solution, rest_solution = force_solution[near].sum(), force_solution[faint_solution].sum()
    print(f"{name_solution:16} gap {gap_solution:5.1%}, faint vessel {rest_solution:5.1%}")

# %% quiz-text [markdown]
# ## Ten questions
#
# Answer first, then unfold: behind every answer stands why it is right, or what it mixes up.

# %% quiz
exercises.quiz("06")

# %% c42 [markdown]
# ## In practice
#
# - **Choose** the structure by the object: skeleton where lines end, patches where walls enclose. Start with a persistence of .1, a saddle level of 0 and no dilation; take "both" where the network overlooks whole pieces; and choose the weight on validation images.
# - **Cost.** In the training above the loss took about an eighth of each step, the topological loss about a fourteenth. It runs on the processor; from a GPU the logits are copied once a step.
# - **Begin late.** The ridges of a network that knows nothing yet are noise. Train on pixels first, then add the loss (`toposeg_lite.losses.SumLoss` can delay it and warm it up).
# - **When it fails.** What the network has not noticed has no ridge (take "both"). Breaks cut out by a saddle level. Walls so weak that persistence merges their patches. Ridges that have become flat: the loss sleeps. Specks: a topological loss is sharper. Labels two pixels off: a ridge one pixel wide is told that it is false.
# - **It stays a pixel loss.** It chooses pixels by topology, but then asks each of them on its own. Nothing in it counts components or holes, so it may be content with a thick blob where the truth has a ring, if the ridges run well.
# - **What critics say.** Kirchhoff et al. (2024) do without any skeleton of the prediction: they compute that of the truth once, widen it, and ask how much of it is found; this is cheap, and near to `of="truth"` with dilation. Hu et al. (2023) object to all such losses, their own included, that the network still decides pixel by pixel, so connections can still break when it is used; their answer is a network that proposes whole structures. And Berger et al. (2024) warn of comparisons with unfit connectivity or labels: ours names the first and uses exact labels.
#
# ## Summary
#
# You computed the loss and its gradient with a pencil, on a skeleton and on the borders of patches (1), wrote patches in naive code (2), saw naive code, library, torch, GUDHI and scikit-image agree (3, 6), and saw on a photograph where three losses pull, and what becomes of a gap and of a faint vessel under each (4). You know what each parameter does and why a saddle level can blind the loss (5), when to take patches (6), what eight bits do to a gap (7), and that on a small budget the Morse loss did what it was expected to do, and was not the best (8).
#
# ## Further reading
#
# - X. Hu, Y. Wang, L. Fuxin, D. Samaras and C. Chen, "Topology-aware segmentation using discrete Morse theory" (2021), [arXiv:2103.09992](https://arxiv.org/abs/2103.09992): the paper of this chapter.
# - O. Delgado-Friedrichs, V. Robins and A. Sheppard, "Skeletonization and partitioning of digital images using discrete Morse theory" (2015), [doi:10.1109/TPAMI.2014.2346172](https://doi.org/10.1109/TPAMI.2014.2346172): skeleton and patches from one field.
# - S. Shit et al., "clDice: a novel topology-preserving loss function for tubular structure segmentation" (2021), [arXiv:2003.07311](https://arxiv.org/abs/2003.07311): a loss on skeletons of masks, made soft so that it has a gradient everywhere.
# - Y. Kirchhoff et al., "Skeleton recall loss for connectivity conserving and resource efficient segmentation of thin tubular structures" (2024), [arXiv:2404.03010](https://arxiv.org/abs/2404.03010): the truth's skeleton only.
# - X. Hu, D. Samaras and C. Chen, "Learning probabilistic topological representations using discrete Morse theory" (2023), [arXiv:2206.01742](https://arxiv.org/abs/2206.01742): a distribution over such skeletons instead of a loss on one of them.
# - A. H. Berger et al., "Pitfalls of topology-aware image segmentation" (2024), [arXiv:2412.14619](https://arxiv.org/abs/2412.14619): how to compare fairly.
# - X. Hu, "Learning Topological Representations for Deep Image Understanding" (2024), [arXiv:2403.15361](https://arxiv.org/abs/2403.15361): the dissertation that this workbook follows.
#
# ## Next
#
# [Chapter 07](07_learn_a_distribution_over_structures.ipynb) learns a distribution over such structures; [chapter 09](../09_run_a_full_training.ipynb) trains with any of these losses at full size. Before you go on, **shut this kernel down** (menu *Kernel*, *Shut Down Kernel*): it holds memory that the next chapter can use.
