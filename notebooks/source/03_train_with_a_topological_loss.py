# %% title [markdown]
# # Train with a topological loss
#
# **At the end** you can say of every marked pixel in this picture why the loss raises or lowers it, and you have trained a network with that loss and without it.
#
# ![Left: vessels of a retina with a gap, the truth in outline, the pixels that the loss raises and those that it lowers. Middle: the persistence diagram, the component behind the gap in a ring. Right: the falling loss.](../images/03.png)
#
# **Time:** 35 minutes to read, 60 with exercises.
#
# **You need** [chapter 02](02_measure_shape_with_persistence.ipynb): pairs, births above deaths, the essential class. From PyTorch only what a gradient is.
#
# **You will be able to**
#
# - derive the loss and its gradient for a 5x5 image with a pencil;
# - show on a photograph which few pixels the gradient acts on;
# - say when a broken piece is joined and when it is removed instead;
# - name what the loss cannot see, and what the choice of matching or of windows mends;
# - judge a small training with and without it by a fair comparison.

# %% parameters tags=["parameters"]
SEED = 0  # of the network and its crops
RATE = 10.0  # step length of the descent on one likelihood
PARENT_STEPS, STEPS = 350, 120  # of training without, and then with a topological loss
WEIGHT = 0.3  # of the topological loss beside Dice + cross-entropy

# %% setup
import gudhi
import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.special import expit

from toposeg_lite import exercises, explorers, figures
from toposeg_lite.data import load_dataset, photos
from toposeg_lite.losses import MorseLoss, TopologicalLoss, topological_loss
from toposeg_lite.topology import betti_numbers

torch.set_num_threads(1)  # so that the number of cores changes no digit
print(f"torch: version {torch.__version__}, gudhi: version {gudhi.__version__}")

# %% predict [markdown]
# ## Predict first
#
# A network finds one vessel, but with a gap, and the truth is one whole vessel:
#
# | likelihood | .9 | .9 | .3 | .8 | .8 |
# |---|---|---|---|---|---|
# | **truth** | 1 | 1 | 1 | 1 | 1 |
#
# The cross-entropy pulls at all five pixels, and the harder the further they are from 1. A loss that compares only *persistence diagrams* sees two components where there should be one. Write down, before you go on:
#
# 1. At how many of the five pixels will it pull?
# 2. It is satisfied when the second component is gone. There are two ways to be rid of it. Which?
#
# <details><summary>Answer</summary>
#
# 1. Three: the highest pixel, which is to become 1, and the birth and the death pixel of the second component. 2. Raise the gap until the pieces are one, or lower the second piece until it is gone. The loss does half of each, and section 6 shows what comes of it.
#
# </details>

# %% by-hand [markdown]
# ## 1. By hand
#
# This is the image of chapter 02, now with a truth beside it: a ring with a tail, one component and one hole.

# %% images
IMAGE = np.array(
    [
        [0.9, 0.8, 0.4, 0.0, 0.0],
        [0.7, 0.2, 0.8, 0.0, 0.0],
        [0.8, 0.5, 0.7, 0.1, 0.0],
        [0.0, 0.0, 0.1, 0.3, 0.6],
        [0.0, 0.0, 0.0, 0.4, 0.7],
    ]
)
TRUTH = IMAGE >= 0.5
TRUTH[3:, 3:] = True
figure = Figure(figsize=(7, 3.9), layout="constrained")
masks = {"at or above .5": IMAGE >= 0.5, "truth": TRUTH}
for ax, (name, mask) in zip(figure.subplots(1, 2), masks.items(), strict=True):
    figures.pixel_values(IMAGE, mask=mask, title=f"{name}: {betti_numbers(mask)}", ax=ax)
figures.show(figure, "The 5x5 image; yellow is at or above .5, left, and the truth, right.")


# %% by-hand-loss [markdown]
# In brackets are the Betti numbers: at threshold .5 the prediction has one component too many. The truth is a mask: all its features are born at 1 and die at 0. Hu et al. (2019) sort the pairs of the prediction by persistence and **match** the first ones of each dimension to the truth's. A matched pair is pulled to $(1, 0)$; any other one should vanish, so it is pulled to the nearest point of the diagonal, where birth and death are both $\frac{b+d}{2}$. With $n^*$ features in the truth the loss is
#
# $$L = \frac{1}{n^* + 1}\Big(\sum_{\text{matched}} (b - 1)^2 + d^2 \;+ \sum_{\text{unmatched}} \frac{(b - d)^2}{2}\Big).$$
#
# (The division is ours; it makes images with many and with few features comparable.) Births and deaths are values of single pixels, $b = f(p_b)$ and $d = f(p_d)$. As long as no two values change places, the *pixels* stay the same when the values move a little, so the derivative needs no more than the chain rule:
#
# $$\frac{\partial L}{\partial f(p_b)} = \frac{2}{n^* + 1}\,(b - b^*), \qquad \frac{\partial L}{\partial f(p_d)} = \frac{2}{n^* + 1}\,(d - d^*), \qquad (b^*, d^*) = \text{the target,}$$
#
# and zero at every other pixel. Where two values are equal, the loss has a kink, and which of the two pixels gets the gradient is a convention (ours: ties go by reading order). Here $n^* = 2$:
#
# | pair (chapter 02) | birth pixel | death pixel | target | cost | gradient at birth | at death |
# |---|---|---|---|---|---|---|
# | component (.9, 0), essential | (0, 0) | none | (1, 0) | .01 | 2(.9 - 1)/3 = -.067 | |
# | component (.7, .3) | (4, 4) | (3, 3) | (.5, .5) | .08 | 2(.7 - .5)/3 = .133 | -.133 |
# | component (.8, .7) | (2, 0) | (1, 0) | (.75, .75) | .005 | .033 | -.033 |
# | hole (.5, .2) | (2, 1) | (1, 1) | (1, 0) | .29 | 2(.5 - 1)/3 = -.333 | 2(.2)/3 = .133 |
#
# The costs sum to .385, so $L = .385 / 3 = .1283$. A step goes *against* the gradient: it raises the weakest pixel of the ring, lowers the filling, raises the bridge (3, 3) to the tail.

# %% naive [markdown]
# ## 2. The same in naive code
#
# GUDHI knows which pixels make a pair. Two things to remember from chapter 02: it works with sublevel sets, so it gets the negated image; and its flat indices run down the columns first (Fortran order).

# %% naive-pairs
def gudhi_pairs(image):
    """List (dimension, birth pixel, death pixel) of all pairs; an essential one has no death."""
    cubes = gudhi.CubicalComplex(top_dimensional_cells=-image)
    cubes.compute_persistence(min_persistence=0)
    finite, essential = cubes.cofaces_of_persistence_pairs()

    def pixel(index):
        return np.unravel_index(index, image.shape, order="F")

    pairs = [(k, pixel(b), pixel(d)) for k, found in enumerate(finite) for b, d in found]
    return [(0, pixel(essential[0][0]), None), *pairs]


def to_diagonal(birth, death, matched):
    """Return the target of a pair, as in the paper."""
    return (1, 0) if matched else ((birth + death) / 2, (birth + death) / 2)


# %% naive-loss
def naive_loss(image, truth, targets=to_diagonal):
    """Return the formula and its gradient; the most persistent pairs are matched."""
    value, gradient = 0.0, np.zeros(image.shape)
    betti = betti_numbers(truth)

    def ends(pair):
        birth = image[pair[1]]
        death = image[pair[2]] if pair[2] else 0.0  # an essential death is a constant
        return birth, death

    def persistence(pair):
        birth, death = ends(pair)
        return birth - death

    for dimension, wanted in enumerate(betti):
        pairs = [pair for pair in gudhi_pairs(image) if pair[0] == dimension]
        pairs.sort(key=persistence, reverse=True)
        for rank, pair in enumerate(pairs):
            goals = targets(*ends(pair), rank < wanted)
            for pixel, now, goal in zip(pair[1:], ends(pair), goals, strict=True):
                value += (now - goal) ** 2
                if pixel:
                    gradient[pixel] += 2 * (now - goal)
    return value / (1 + sum(betti)), gradient / (1 + sum(betti))


# %% agree-text [markdown]
# ## 3. Pencil, naive code, library and finite differences agree
#
# The library takes **logits** $x$, what a network gives before the sigmoid $f = 1 / (1 + e^{-x})$, so the chain has one more factor, $\partial f / \partial x = f(1 - f)$; to compare, we divide by it. A last check needs no theory at all: change each pixel a little up and down and see by how much the library's loss changes. The dissertation calls this check *gradient flow*.

# %% agree
def library_loss(image, truth, matching="rank", **options):
    """Return the library's loss, and its gradient by likelihood."""
    logits = torch.tensor(image).clamp(1e-4, 1 - 1e-4).logit()[None, None].requires_grad_()
    value = topological_loss(logits, torch.tensor(truth)[None], matching=matching, **options)
    (slopes,) = torch.autograd.grad(value, logits)
    likelihood = logits.detach().sigmoid()
    return value.item(), (slopes / (likelihood * (1 - likelihood)))[0, 0].numpy()


(naive, by_pair), (library, by_torch) = naive_loss(IMAGE, TRUTH), library_loss(IMAGE, TRUTH)
bumps = np.eye(25).reshape(25, 5, 5) / 1e5
up, down = ([library_loss(IMAGE + s * bump, TRUTH)[0] for bump in bumps] for s in (1, -1))
by_change = np.subtract(up, down).reshape(5, 5) / 2e-5
print(by_pair.round(3) + 0.0, f"\nnaive {naive:.4f}, library {library:.4f}, pencil {0.385 / 3:.4f}")
print("largest differences:", *(f"{np.abs(g - by_pair).max():.3f}" for g in (by_torch, by_change)))
f = np.linspace(0, 1, 201)  # a likelihood, and what its pull is multiplied by
figure = Figure(figsize=(5.2, 3), layout="constrained")
ax = figure.subplots()
ax.plot(f, f * (1 - f), color="black")
ax.set(xlabel="likelihood f", ylabel="f (1 - f)", ylim=(0, 0.3))
figures.show(figure, "The factor f (1 - f): a quarter at one half, a hundredth at .01 and at .99.")

# %% agree-meaning [markdown]
# The last line holds the largest difference from the naive gradient, first of the library's and then of the finite differences: three ways, one gradient, and it is that of the table. Seven of 25 pixels have one.
#
# The factor $f(1 - f)$, which the network sees, makes one thing worse: where the network is *sure*, it vanishes, as the curve shows. The pull on a gap of likelihood .01 arrives as a hundredth, and that on a gap of .3 as a fifth, though the first one needs it more. A topological loss repairs what a network doubts; it hardly finds what the network has overlooked.

# %% photo-text [markdown]
# ## 4. Where it acts on a real photograph
#
# The vessels of chapter 02 again (retina by Mikael Häggström, CC0; the truth is this project's silver mask), every second pixel. The same formula stands in for a network. We add one fault by hand: a dim spot on a thick vessel, as a reflex or a speck of dust leaves it.
#
# The two pictures on the right show where the losses pull at the logits. For the cross-entropy the gradient is simply $f - y$ with the truth $y$, and its size is shown in grey. For the topological loss those pixels have a sign that get more than a twentieth of the strongest pull: green ones are raised, purple ones lowered.

# %% photo
photo, window = photos.retina(), np.s_[800:1312:2, 240:752:2]
vessels, mask = photos.vesselness(photo.image)[window], photo.mask[window]
distance = np.indices((256, 256)).T - (183, 128)
vessels *= 1 - 0.75 * np.exp(-(distance**2).sum(-1).T / 18)  # the gap
crop, truth = vessels[144:240, 86:182], mask[144:240, 86:182]
slopes = library_loss(crop, truth)[1] * crop * (1 - crop)  # by logit
strong = np.abs(slopes) > np.abs(slopes).max() / 20
images = [crop, truth, np.abs(crop - truth), crop]
titles = ["likelihood", "truth", "pull, cross-entropy", "pull, topological"]
figure = figures.image_row(images, titles)
options = {"truth": truth, "title": titles[3], "ax": figure.axes[3]}
figures.image_with_pull(crop, np.where(strong, -slopes, 0), **options)
text = f"Likelihood, truth, pull of the cross-entropy: {crop.size} pixels; of the topological "
text += f"loss: {np.count_nonzero(slopes)}, of which the {strong.sum()} strong ones have a sign."
figures.show(figure, text)

# %% photo-meaning [markdown]
# That is the **sparse gradient**. The cross-entropy pulls everywhere, and most where much is missing: the gap is a small part of its sum. The topological loss pulls at single pixels: in the gap, along the faint vessel at the top, at both ends of every piece. This is its strength, for it knows what matters. It is also its weakness: a handful of pixels in a step is little to learn from, and a step that changes the likelihood elsewhere may move the critical pixels, too. So it is used *beside* a pixel loss, with a small weight.

# %% explorer-text [markdown]
# ## 5. Play the descent
#
# Now without any network: change the logits themselves, step by step, against the gradient. With a running kernel the picture is live. Press *Play the descent*, or move *Step*, and watch the pixels that are raised (green, up) and lowered (purple, down), and how the dots wander in the diagram. *Loss* changes the loss; section 7 tells what the names of the topological ones mean. To keep the picture quiet, the topological losses leave alone what has a persistence of .1 or less. *morse* is the loss of chapter 06, a cross-entropy on the ridges of the likelihood and nowhere else: it pulls at whole ways where the topological losses pull at single pixels. *morse, of both* adds the skeleton of the truth, so it also sees a vessel that shows no ridge. (Both are means over some hundred pixels, hence the factor 10.) In the printed lines, "gap" is the death of the piece behind the gap, that is, the weakest link of the best path across it (the marked feature 2), and "faint vessel" the brightest pixel of the far part of the faint vessel at the top.
#
# Find: the step at which the gap closes. What becomes of the faint vessel. What the cross-entropy does in ten steps, and why it is no surprise that it wins here (it is told every pixel of the truth; a new photograph comes without). How many components *morse* leaves in step 40, and why it no longer sees the gap between them (how persistent are they?).

# %% explorer tags=["end-product"]
ridges, both = MorseLoss(min_persistence=0.1), MorseLoss(of="both", min_persistence=0.1)
losses = {
    "rank": TopologicalLoss(matching="rank", min_persistence=0.1),
    "spatial": TopologicalLoss(min_persistence=0.1),
    "wasserstein": TopologicalLoss(matching="wasserstein", min_persistence=0.1),
    "cross-entropy": lambda logits, y: torch.nn.BCEWithLogitsLoss(reduction="sum")(logits, y) / 10,
    "morse": lambda logits, y: 10 * ridges(logits, y),
    "morse, of both": lambda logits, y: 10 * both(logits, y),
}
play = {"steps": 40, "rate": RATE, "min_persistence": 0.1}
explorer = explorers.GradientExplorer(crop, truth, losses, **play)
for step in (0, 3, 10, 40):
    explorer.step = step
    gap, tip = explorer.shown.death[1], explorer.image[:16, 45:80].max()
    print(f"step {step:2}: Betti numbers {explorer.betti}, gap {gap:.2f}, faint vessel {tip:.2f}")
explorer.step, explorer.selected = 3, 2
explorers.show(explorer)

# %% film [markdown]
# The same in motion, three times; [four of its frames](../images/03-film.png) stand still.
#
# ![Forty steps down the loss: green triangles in the gap raise it until the two pieces of the thick vessel are one, the far part of the faint vessel at the top grows darker, and in the diagram all dots but one wander towards the diagonal.](../images/03-film.gif)

# %% joined [markdown]
# ## 6. Joined or removed
#
# Four pieces became one, as in the truth. But look how. The weakest link across the gap rose above .5: that piece was **joined**. The far part of the faint vessel sank below .5: that piece was **removed**. To the loss both are the same, one component less. The target of a pair $(b, d)$ that is too many is the middle, $\frac{b+d}{2}$; so, roughly,
#
# - if the middle is above the threshold, the piece is joined;
# - if it is below, the piece is removed.
#
# The piece behind the gap had (.99, .30), middle .65; the faint one had (.55, .20), middle .38. A loss that counts is content with a right count. Which of the two ways is right, the pixel loss beside it has to say. Exercise 03.3 changes this.

# %% blind-text [markdown]
# ## 7. What it cannot see, and what matching mends
#
# The loss compares diagrams, and diagrams do not know places (chapter 02). Three images on which that shows:
#
# - **A strong false blob**: two blobs, .8 and .55, but only the fainter one is in the truth.
# - **A mostly filled hole**: a ring of .9 filled with .8, and the truth has a hole there.
# - **The crop of section 5, taken six columns further left**: a stub of another vessel comes into the picture there, and the truth has two components.
#
# Which features are matched is the choice of `matching`. The paper defines it as an *optimum*: the matching for which the sum of section 1 is least. Taking the most persistent features is a short cut to it, and not always the same, as the second image will show:
#
# - "rank" takes the most persistent: the short cut, and section 1.
# - "wasserstein" takes the optimum itself, in which also features of the truth may stay unmatched: exact optimal transport with the diagonal.
# - "spatial" looks at the truth: each of its components takes, of the components of the likelihood that are born inside it, the most persistent one; each of its holes takes that of the holes that die inside.
# - "betti" (Stucki et al. 2023) compares both images with a common third one, the larger of the two at each pixel, and matches what becomes the same feature there.
#
# The next lines print the pull on the likelihood in the first two images: above zero is raised. In the moved crop, "gap" is the brightest pixel of the darkest column between the two pieces after 40 steps; it begins at .34. Predict the signs for "rank" and "spatial".

# %% matchings tags=["readme"]
blobs, ring = np.full((5, 10), 0.1), np.pad(np.full((3, 3), 0.9), 1, constant_values=0.1)
blobs[1:4, 1:4], blobs[1:4, 6:9], ring[2, 2] = 0.8, 0.55, 0.8
toys = (blobs, (blobs > 0.5) & (np.arange(10) > 5)), (ring, ring > 0.85)
moved = vessels[144:240, 80:176], mask[144:240, 80:176]
for name in ("rank", "wasserstein", "betti", "spatial"):
    on_blobs, on_ring = (-library_loss(*toy, matching=name)[1] for toy in toys)
    loss = {name: TopologicalLoss(matching=name, min_persistence=0.1)}
    descent = explorers.GradientExplorer(*moved, loss, **play)
    descent.step = 40
    print(f"{name:12} false {on_blobs[1:4, 1:4].sum():+.2f}, true {on_blobs[1:4, 6:9].sum():+.2f}, "
          f"filling {on_ring[2, 2]:+.2f}, gap {descent.image[33:45, 42:54].max(axis=0).min():.2f}")
shown = moved[0], moved[0] >= 0.5, descent.image >= 0.5, moved[1]
titles = "likelihood", "at or above .5: broken", "after 40 steps: joined", "truth"
text = "The moved crop, its mask with a gap, the mask after 40 steps of spatial matching, "
text += "the truth."
figures.show(figures.image_row(shown, titles), text)


# %% blind-meaning [markdown]
# - **The false blob** is raised and the true one lowered under "rank" and "wasserstein": neither knows where a blob is. "spatial" **mends this**. So would windows, each with a diagram of its own (`window=5`), for each would hold one blob only; but the smaller the windows, the less they know of what is connected further away. "betti" does not mend *this* case: every image has exactly one component that never dies, Betti matching always matches these two with each other, and in the likelihood it is the false blob.
# - **The mostly filled hole** is opened by all but "wasserstein", as the truth wants. "wasserstein" **fills** it, and by definition: matching (.9, .8) with (1, 0) costs $.1^2 + .8^2 = .65$, leaving both to the diagonal only $.1^2/2 + 1/2 = .505$. Other losses made of exact optimal transport do the same. On the other hand, where a hole is missing altogether, "rank" opens the best speck of noise it finds, and "wasserstein" waits.
# - **In the moved crop** the truth has two components: the vessels, and the stub at the left margin. The most persistent second piece of the likelihood is the vessel behind our gap. "rank" and "wasserstein" take it for the truth's second component, the stub: the gap stays **open**, though nothing has changed but six columns. "spatial" and "betti" find no piece of the likelihood in the stub that deserves it, except a faint spot: they raise that, and **join** the vessel.
#
# What mends it, then: a matching that looks at places; or to train with a pixel loss first, until the most persistent features are the right ones; or windows. What a matching is worth on real data, by numbers, is told in [chapter 10](10_compare_and_ablate.ipynb).

# %% published-text [markdown]
# ## 8. What a published version does differently
#
# Beside the code of the paper its authors offer a short PyTorch function of 2021, which many have used; the formula of the paper is right, and section 1 follows it. The file departs from it in three points, and the next two cells show what comes of each.
#
# | | formula of the paper | file of 2021 | what comes of it |
# |---|---|---|---|
# | features | all pairs | finite components only | loops are invisible; a truth of one component, or of none, is skipped |
# | squared loss | between likelihoods and targets | between *logits* and targets | a target of 1 is met at a likelihood of .73 |
# | target of a good feature | birth 1, death 0 | birth 0, death 1 | gaps between true objects rise |
#
# <details><summary>More on the three points</summary>
#
# The next cell says how we read `topoloss_pytorch.py` ([commit 377833e](https://github.com/HuXiaoling/TopoLoss/blob/377833ecf5d0b51c49a325103d1b45bcf84ab650/topoloss_pytorch.py), one square tile).
#
# - **Finite components only.** Loops are invisible, and so is the essential class. A tile whose truth is one single component, or empty, is skipped: a gap is not mended there, a false positive not punished.
# - **Raw logits.** The diagram is made of the likelihood, the sigmoid of the logit; but the squared loss compares the *logits* with targets that are likelihoods. A logit of 1 is a likelihood of .73, and a logit of 0 one of .5.
# - **Exchanged targets.** The diagram is made of $1 - f$, where a good feature is born at 0 and dies at 1. These two numbers are then used as targets of $f$, where they belong the other way round.
#
# </details>

# %% published
def loss_2021(logits, truth):
    """Return the loss of the 2021 file for one square tile, as we read it."""
    image, targets = logits.detach().sigmoid().numpy(), logits.detach().clone()
    kept = [[p for p in gudhi_pairs(f) if p[0] == 0 and p[2]] for f in (image, truth * 1.0)]
    if not kept[1]:  # no finite component in the truth
        return 0 * logits.sum()
    for rank, (_, b, d) in enumerate(sorted(kept[0], key=lambda p: image[p[2]] - image[p[1]])):
        if rank < len(kept[1]):
            targets[b], targets[d] = 0.0, 1.0
        elif image[b] - image[d] > 0.03:
            targets[b], targets[d] = float(image[d]), float(image[b])
    return ((logits - targets) ** 2).sum()


# %% published-table
CASES = {
    "two objects and a false one": ([[0.9, 0.1, 0.8, 0.2, 0.6]], [[1, 0, 1, 0, 0]]),
    "one object with a gap": ([[0.9, 0.3, 0.8, 0.1]], [[1, 1, 1, 0]]),
    "no object": ([[0.1, 0.8, 0.1]], [[0, 0, 0]]),
    "ring with a gap": ([[0.9] * 3, [0.9, 0.1, 0.3], [0.9] * 3], [[1, 1, 1], [1, 0, 1], [1, 1, 1]]),
}


def ours(logits, truth):
    return TopologicalLoss(matching="rank")(logits[None, None], torch.tensor(truth)[None])


for case, (start, wanted) in CASES.items():
    print(f"{case}\n  start  ", *np.ravel(start))
    for name, loss in (("library", ours), ("2021   ", loss_2021)):
        logits = torch.tensor(start).logit().requires_grad_()
        for _ in range(300):
            (slopes,) = torch.autograd.grad(loss(logits, np.array(wanted) > 0), logits)
            logits = (logits.detach() - 0.3 * slopes).requires_grad_()
        print(f"  {name}", *(f"{v:.2f}" for v in logits.sigmoid().flatten().tolist()))

# %% published-meaning [markdown]
# The lines are likelihoods before and after 300 steps down each loss. The library keeps two true objects apart, joins a gap, lowers a false positive, and closes a ring without filling its hole. The file of 2021 makes one object of three, and does nothing in the other cases.
#
# <details><summary>Case by case, and what is to be said for the file</summary>
#
# - Two objects and a false one: the library keeps the first two apart and lets the third sink into its surroundings, below .5. The 2021 file raises all gaps above .5: three objects become one.
# - One object with a gap: the library joins it; the file skips the tile.
# - No object: the library lowers the false positive to its surroundings; the file skips the tile.
# - A ring with a gap: the library closes it and keeps its hole open; the file sees no loop.
#
# To be fair: the second case is known to its users, one of whom asked in 2022 whether a truth of one component gives it anything to do ([issue 15](https://github.com/HuXiaoling/TopoLoss/issues/15)). A pixel loss beside it hides much of all this in a training. And the results of the paper are another matter: its experiments of 2019 had other code, which computes persistence in C++ and puts a frame around each tile.
#
# </details>

# %% train-text [markdown]
# ## 9. A small training
#
# Longer training helps with any loss. So a fair comparison starts several networks from one **parent**, trained on pixels only (Dice + cross-entropy), and lets all go on for the same steps on the same crops in the same order: the **control** as before, the others with the topological loss added. Whatever differs from the control is due to the loss. Predict: which scores will change, Dice or the Betti errors?
#
# The network is small (depth 3, width 8), the training short, and the test regions are three pieces of one eye. The Betti errors are the absolute differences in the number of components (0) and of holes (1), whole image, 8 neighbours, mean over the regions.

# %% train tags=["nbval-ignore-output"]
import pandas as pd

from toposeg_lite.training import TrainConfig, evaluate, train

data = load_dataset("retina")
shared = {"patch": 80, "width": 8, "depth": 3, "learning_rate": 3e-3, "seed": SEED}
parent = train(TrainConfig(steps=PARENT_STEPS, weight=0, **shared), data=data, progress=False)
networks = {"parent": parent}
for name in ("control", "rank", "spatial"):
    added = {"weight": 0} if name == "control" else {"loss_options": {"matching": name}}
    config = TrainConfig(steps=STEPS, anneal=True, **{"weight": WEIGHT} | added, **shared)
    networks[name] = train(config, data=data, start=parent, progress=False)
scores = {name: evaluate(n.model(), data.test, labels=data.labels) for name, n in networks.items()}
columns = ["dice", "cldice", "betti_0_error", "betti_1_error"]
pd.DataFrame({name: score.table[columns].mean() for name, score in scores.items()}).T.round(2)

# %% train-picture tags=["nbval-ignore-output"]
from toposeg_lite.data import Sample
from toposeg_lite.differences import count_kinds, topology_differences
from toposeg_lite.workbook.figures.differences import comparison_figure

counts = {}
for name, score in scores.items():
    places = []
    for sample in data.test:
        mask = score.likelihoods[sample.name] >= 0.5
        places += topology_differences(mask, sample.mask)
    counts[name] = count_kinds(places)
display(pd.DataFrame(counts))

whole, here = data.test[1], np.s_[120:320, 100:300]
piece = Sample("test", np.ascontiguousarray(whole.image[:, *here]), whole.mask[here])
masks, found = {}, {}
for name in ("control", "rank"):
    mask = scores[name].likelihoods[whole.name][here] >= 0.5
    masks[name], found[name] = [mask], [topology_differences(mask, piece.mask)]
text = "Part of a test region, its reference, and what two networks find of it."
figures.show(comparison_figure([piece], masks, found), text)

# %% train-meaning [markdown]
# Compare with the control, not with the parent. The tables above are of *your* run, and 120 steps make small differences large: another seed or another processor gives other digits. So the sentences here are about five stored runs of these cells, with the seeds 0 to 4 ([small-trainings.json](../reference_runs/small-trainings.json), made by `python tools/train_small.py 0 1 2 3 4`), each with two matchings, ten networks in all. Does yours fit in?
#
# - The error in the number of **components** fell in all ten, by 35 to 61 %. That of the holes changed little, by .7 at most, up or down.
# - **Spurious components**, specks beside the vessels, became fewer in all ten, by 41 to 81 %: to lower a false peak, one pixel's gradient is enough.
# - **Breaks** became fewer in seven of ten, and more in three. **Missing components** became more in all ten, by one or two: of the pieces of a faint vessel some were joined, and some were removed (section 6).
# - **Missing holes** changed by two at most: where a loop is open by many pixels, a sparse gradient does little in 120 steps.
# - **Dice** changed by -.04 to +.02; it fell with four of the five seeds.
#
# Between the two matchings so short a training cannot decide: after a pixel loss the most persistent features mostly *are* those at the right places, and which of the two is ahead changes from seed to seed. Still, three regions of one eye, one small network, and a weight that nobody chose on validation images: this is a demonstration, not evidence. [Chapter 09](../09_run_a_full_training.ipynb) does it properly, and [chapter 10](10_compare_and_ablate.ipynb) reads larger studies.

# %% exercise-1 [markdown]
# ## Exercises
#
# Each exercise has a stub to fill in, a checker that names what may have gone wrong, a hint, and a solution in [the solved notebook](./03_train_with_a_topological_loss.ipynb).
#
# ### 03.1 A gradient with a pencil
#
# Write down the gradient of the loss ("rank", by likelihood, divided by $n^* + 1$) at each of the four pixels: a list of four numbers.
#
# | likelihood | .9 | .3 | .8 | .1 |
# |---|---|---|---|---|
# | **truth** | 1 | 1 | 1 | 0 |
#
# <details><summary>Hint</summary>
#
# There are two pairs, and the truth has one component. Which pair is matched, and where is the other one pulled? The pixel of .1 is neither a birth nor a death.
#
# </details>

# %% exercise-1-stub
strip_gradient = None  # for instance [0.1, 0.0, -0.2, 0.0]

exercises.check("03.1", strip_gradient)

# %% exercise-1-solution tags=["solution"]
# (.9, 0) is essential and matched: 2 (.9 - 1) = -.2. (.8, .3) goes to (.55, .55): at its birth
# 2 (.8 - .55) = .5, at its death 2 (.3 - .55) = -.5. All of it is divided by n* + 1 = 2.
strip_gradient_solution = [-0.1, -0.25, 0.25, 0.0]

exercises.check("03.1", strip_gradient_solution)


# %% exercise-2 [markdown]
# ### 03.2 When is a hole worth opening?
#
# "wasserstein" matches a hole $(b, d)$ of the prediction to a hole $(1, 0)$ of the truth only if that is cheaper than leaving *both* alone. Write this choice as a function of $b$ and $d$ that returns True or False (one hole in each image).
#
# <details><summary>Hint</summary>
#
# A match costs the squared distance of the two points. A point that stays alone goes to the diagonal, which costs half its squared persistence; the truth's point has persistence 1.
#
# </details>

# %% exercise-2-stub
def worth_matching(birth, death):
    """Return whether matching (birth, death) to (1, 0) costs less than leaving both alone."""
    return None


exercises.check("03.2", worth_matching)


# %% exercise-2-solution tags=["solution"]
def worth_matching_solution(birth, death):
    """Compare both costs; (.9, .8) is not worth it, (.6, .3) is."""
    return (1 - birth) ** 2 + death**2 < (birth - death) ** 2 / 2 + 1 / 2


exercises.check("03.2", worth_matching_solution)


# %% exercise-3 [markdown]
# ### 03.3 Change the method: join, never remove
#
# In section 6 the loss removed half of a faint vessel, because the target of an extra piece was the middle of the diagonal. If you trust the *sensitivity* of your network (what it sees, however faintly, is there), you want the gap raised and the piece left as it is. Write a new target: a function of birth, death and whether the pair is matched, which returns the target of the birth and that of the death. It can be handed to `naive_loss` in place of `to_diagonal`.
#
# <details><summary>Hint</summary>
#
# A pixel whose target is its own value feels no pull. The piece has vanished as a component when its death is as high as its birth.
#
# </details>

# %% exercise-3-stub
def join_only(birth, death, matched):
    """Return the targets of birth and death."""
    return None


exercises.check("03.3", join_only)


# %% exercise-3-solution tags=["solution"]
def join_only_solution(birth, death, matched):
    """Matched as before; of the others only the death is moved, up to the birth."""
    return (1, 0) if matched else (birth, birth)


exercises.check("03.3", join_only_solution)

# %% exercise-3-played [markdown] tags=["solution"]
# Play both targets for 30 steps. With the new one, the piece is joined and the faint vessel stays; more of the truth is found. There is a price: a false positive is no longer removed either, but *joined*, by a bridge that is false as well.

# %% exercise-3-play tags=["solution"]
for targets_solution in (to_diagonal, join_only_solution):
    logits_solution = np.log(crop / (1 - crop)) * (crop > 1e-4) - 9.0 * (crop <= 1e-4)
    for step_solution in range(31):
        image_solution = expit(logits_solution)
        slopes_solution = naive_loss(image_solution, truth, targets_solution)[1]
        logits_solution -= RATE * slopes_solution * image_solution * (1 - image_solution)
    mask_solution, name_solution = image_solution >= 0.5, targets_solution.__name__
    print(name_solution, betti_numbers(mask_solution), f"{mask_solution[truth].mean():.1%} found")

# %% quiz-text [markdown]
# ## Ten questions
#
# Answer first, then unfold: behind every answer stands why it is right, or what it mixes up.

# %% quiz
exercises.quiz("03")

# %% practice [markdown]
# ## In practice
#
# - **Cost.** Persistence is linear in the number of pixels: for four crops of 256x256, value and gradient take about a hundredth of a second, a few percent of a training step on a processor. It always runs on the processor; from a GPU the likelihood is copied once a step.
# - **Begin late, weigh little.** With a network that knows nothing yet, the most persistent features are arbitrary (section 7). Train on pixels first; then add the loss with a small weight, perhaps growing (`toposeg_lite.losses.SumLoss` does both). Choose the weight on validation images.
# - **When it fails.** Strong false structures; holes nearly filled; what the network is sure of; crops whose border cuts structures into pieces that the loss takes for objects; removal instead of repair (sections 3, 6 and 7).
# - **Afterwards.** The authors themselves advise to remove small components from the result, as the loss may leave a few isolated points.
# - **What critics say.** Berger et al. (2024) find flaws in how such losses are evaluated: unfit connectivity, structures broken in the labels, metrics used wrongly. Valverde et al. (2025) compared eight losses on a data set made for it: published code of this loss changed little, clDice did best, and augmentation of the data lifted plain Dice + cross-entropy above most topological losses.
#
# ## Summary
#
# You derived the loss and its gradient by hand (1), saw naive code, library and finite differences agree (2, 3), saw on a photograph how few pixels have a gradient (4), played the descent (5), told joining from removing (6), named what the loss cannot see and what windows and matchings mend (7), compared with a published version (8), and judged a training against its control (9).
#
# ## Further reading
#
# - X. Hu, F. Li, D. Samaras and C. Chen, "Topology-preserving deep image segmentation" (2019), [arXiv:1906.05404](https://arxiv.org/abs/1906.05404): the paper of this chapter.
# - M. Carrière, F. Chazal, M. Glisse, Y. Ike, H. Kannan and Y. Umeda, "Optimizing persistent homology based functions" (2021), [arXiv:2010.08356](https://arxiv.org/abs/2010.08356): when descent on such functions converges, kinks included.
# - J. R. Clough, N. Byrne, I. Oksuz, V. A. Zimmer, J. A. Schnabel and A. P. King, "A topological loss function for deep-learning based image segmentation using persistent homology" (2020), [arXiv:1910.01877](https://arxiv.org/abs/1910.01877): the same idea with known Betti numbers instead of a mask.
# - N. Stucki, J. C. Paetzold, S. Shit, B. Menze and U. Bauer, "Topologically faithful image segmentation via induced matching of persistence barcodes" (2023), [arXiv:2211.15272](https://arxiv.org/abs/2211.15272): Betti matching.
# - A. H. Berger et al., "Pitfalls of topology-aware image segmentation" (2024), [arXiv:2412.14619](https://arxiv.org/abs/2412.14619): how to compare fairly.
# - J. M. Valverde, M. Koga, N. Otsuka and A. B. Dahl, "TopoMortar: A dataset to evaluate image segmentation methods focused on topology accuracy" (2025), [arXiv:2503.03365](https://arxiv.org/abs/2503.03365): eight losses on one data set.
# - X. Hu, "Learning Topological Representations for Deep Image Understanding" (2024), [arXiv:2403.15361](https://arxiv.org/abs/2403.15361): the dissertation that this workbook follows.
#
# ## Next
#
# [Chapter 04](04_warp_masks_without_tearing.ipynb) finds the pixels that matter in another way: by warping one mask into the other without tearing it. [Chapter 09](../09_run_a_full_training.ipynb) does section 9 at full size, with the weight chosen on validation images. Before you go on, **shut this kernel down** (menu *Kernel*, *Shut Down Kernel*): it holds memory that the next chapter can use.
