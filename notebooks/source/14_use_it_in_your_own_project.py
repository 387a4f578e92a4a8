# %% title [markdown]
# # Use it in your own project
#
# **At the end** you have trained a network on a folder of images with a topological loss, by a loop of ten lines that is yours, chosen the weight by a measurement instead of a guess, and looked at the right things first, as in this picture.
#
# ![In a row: an image of cracks, its reference, and two predictions in light grey, of the control and of the network trained with the topological loss, with a sign at each break, spurious component and other difference.](../images/14.png)
#
# **Time:** 20 minutes to read, 45 with exercises.
#
# **You need** [chapter 03](03_train_with_a_topological_loss.ipynb): what the topological loss is. From PyTorch: that a network turns images into logits, and an optimizer makes steps. Images of your own, if you like; without them the notebook writes some.
#
# **You will be able to**
#
# - read a folder of your own images, and look at the labels before you train;
# - write a training loop with `SumLoss`, for any network;
# - choose the weight of a loss by the ratio of two gradients;
# - compare with a control, and say what to look at first;
# - find the way to MONAI, nnU-Net and the training of this library.

# %% parameters tags=["parameters"]
IMAGES, MASKS = None, None  # your two folders; None: pictures of cracks are made and written to one
SEED = 0  # of the pictures, the network and its batches
STEPS, MORE = 120, 60  # of training on pixels alone; then with the topological loss as well
RATIO = 0.5  # how strongly the topological loss pulls, compared with the pixel loss

# %% setup
import copy
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage.measure import label

from toposeg_lite import exercises, figures, metrics
from toposeg_lite.data import folder, synthetic
from toposeg_lite.differences import count_kinds, topology_differences
from toposeg_lite.losses import DiceBCELoss, SumLoss, TopologicalLoss
from toposeg_lite.models import UNet
from toposeg_lite.topology import betti_numbers
from toposeg_lite.training.balance import Balance
from toposeg_lite.workbook.figures.differences import comparison_figure

torch.set_num_threads(1)  # so that the number of cores changes no digit
place = Path(tempfile.mkdtemp())

# %% predict [markdown]
# ## Predict first
#
# 1. In the first step of a training the pixel loss is 1.2 and the topological loss .04. Somebody gives the second one the weight 30, "so that both count alike". What has been forgotten?
# 2. With the topological loss the errors in topology are halved, compared with the same network *before* that training. Is the loss the reason?
# 3. A mask file holds the values 0, 128 and 255. What does 128 mean?
#
# <details><summary>Answer</summary>
#
# 1. What a loss *does* is its gradient, not its value: a small loss may pull hard at a few pixels. Section 4 measures it. 2. Nobody knows: the network has also been trained for longer. Compare with a control that was trained for as long without the loss. 3. Nobody but its author knows: another class, or "not labelled", or a rim that a program has smoothed. So reading stops there and asks; a guess would be learned.
#
# </details>

# %% folder-text [markdown]
# ## 1. A folder of images
#
# Two folders, one with images, one with masks, the files called alike: that is all. `folder` reads png, jpg, tif, npy, mat, and volumes as tif with many pages or as NIfTI. It reads and checks everything before anything is trained, and one error lists *every* fault: an image without a mask, other sizes, masks with three values. What pixels mean that nobody labelled is said by `ignore=255`. Images of one patient, or neighbouring slices, must not be split: `group=lambda name: name[:4]`.
#
# Without folders of yours, the next cell writes sixteen pictures of cracks in asphalt, as if somebody had handed them over.

# %% folder
if IMAGES is None:
    IMAGES, MASKS = place / "images", place / "masks"
    IMAGES.mkdir()
    MASKS.mkdir()
    for k in range(16):
        drawing = synthetic.cracks((96, 128), seed=100 * SEED + k)
        grey = (255 * drawing.image[0]).round().astype(np.uint8)
        Image.fromarray(grey).save(IMAGES / f"asphalt{k:02}.png")
        Image.fromarray(255 * drawing.mask.astype(np.uint8)).save(MASKS / f"asphalt{k:02}.png")
data = folder(IMAGES, MASKS, split=(0.5, 0.25, 0.25), seed=SEED)
for split in ("train", "validation", "test"):
    names = [sample.name for sample in getattr(data, split)]
    print(f"{split}: {len(names)} images, {names[0]} and so on")

# %% labels-text [markdown]
# ## 2. Look at the labels first
#
# A topological loss learns what the masks *say*, and a speck of one pixel says "one component more". So count before you train: components and holes with either connectivity, and features of a few pixels. If the two counts differ much, lines hang together at corners only, and the connectivity decides everything. (In the masks of one public data set of retinal vessels there are 82 components with 8 neighbours, and 9921 with 4.) For many files, `python -m toposeg_lite.training audit` makes the table.

# %% labels
print(f"{'image':12} with 8 neighbours   with 4   smallest component")
for sample in (data.train + data.validation + data.test)[::3]:
    eight = betti_numbers(sample.mask)
    four = betti_numbers(sample.mask, connectivity=1)
    parts = label(sample.mask, connectivity=sample.mask.ndim)
    smallest = np.bincount(parts.ravel())[1:].min()
    print(f"{sample.name:12} {eight!s:>17} {four!s:>8} {smallest:12} pixels")

# %% loop-text [markdown]
# ## 3. Ten lines of training
#
# Any network will do that gives one logit for each pixel (or one for each class), and any loop. Here is the shortest one that is honest: it samples a batch, computes the loss, and steps. The losses of this library take logits and masks, on a processor or a graphics card, as one more term.
#
# First the **parent**: pixels only. A network that knows nothing yet has no features worth matching (chapter 03, "Begin late").

# %% loop
images = torch.stack([torch.from_numpy(sample.image) for sample in data.train])
masks = torch.stack([torch.from_numpy(sample.mask) for sample in data.train])


def train(model, loss, steps, seed):
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in range(steps):
        chosen = torch.randint(len(images), (4,), generator=generator)
        value = loss(model(images[chosen]), masks[chosen])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return model.eval()


parent = UNet(in_channels=images.shape[1], width=8, depth=3, seed=SEED)
parent = train(parent, DiceBCELoss(), STEPS, SEED)

# %% weight-text [markdown]
# ## 4. How much weight?
#
# What a loss does to a network begins with its gradient by the logits. So compare the *norms* of two gradients, that of the topological loss and that of the pixel loss, on the same batch:
#
# $$r = \frac{\| \nabla L_{\mathrm{topology}} \|}{\| \nabla L_{\mathrm{pixels}} \|}, \qquad \mathrm{weight} = \frac{.5}{r}.$$
#
# With this weight the added loss pulls half as hard as the pixel loss. With a pencil: norms of .03 and .01 make $r = 3$, so the weight is $.5 / 3 = .167$. The ratio is a starting point, not a truth: try half and double, and let the *validation* images choose (chapter 09).
#
# The library does this in every step if the weight is a word instead of a number: `TrainConfig(loss="topological", weight="balance:0.5")`. It averages the logarithm of the ratio over some steps, since a single batch may hold many errors or none. `Balance` is that rule; the cell asks it, too.

# %% weight
def gradient_norm(loss, logits, target):
    logits = logits.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(logits, target), logits)
    return gradient.norm().item()


ratios = []
for first in range(0, len(images), 4):
    batch, target = images[first : first + 4], masks[first : first + 4]
    logits = parent(batch)
    norms = [gradient_norm(loss, logits, target) for loss in (TopologicalLoss(), DiceBCELoss())]
    ratios.append(norms[0] / norms[1])
weight = RATIO / np.exp(np.mean(np.log(ratios)))
balance = Balance(RATIO)
library = [balance.weight(ratio) for ratio in ratios][-1]
print(f"{len(ratios)} batches; naive weight == library's: {np.isclose(weight, library)}")

# %% control-text [markdown]
# ## 5. The loss, and its control
#
# `SumLoss` adds losses by name: each with a weight, a first step and a warm-up, over which its factor grows. Two copies of the parent now go on for the same steps on the same batches in the same order. The **control** has the pixel loss alone. Whatever the other one does differently is due to the loss.
#
# Predict: which of the two will have the higher Dice, and which the smaller Betti errors?

# %% control tags=["nbval-ignore-output"]
print(f"ratios {np.round(ratios, 1)}, so the weight is {weight:.3f}")
both = SumLoss(
    {"pixels": DiceBCELoss(), "topology": TopologicalLoss()},
    weights={"topology": weight},
    warm_up={"topology": 10},
)
networks = {
    "control": train(copy.deepcopy(parent), DiceBCELoss(), MORE, SEED + 1),
    "topological": train(copy.deepcopy(parent), both, MORE, SEED + 1),
}
keys = ("dice", "betti_0_error", "betti_1_error", "betti_matching_error")
found = {"parent": parent} | networks
predictions = {}
for name, model in found.items():
    with torch.no_grad():
        outputs = [model(torch.from_numpy(sample.image)[None])[0, 0] for sample in data.test]
    predictions[name] = [output.numpy() >= 0 for output in outputs]  # logits: 0 is one half
    pairs = zip(predictions[name], data.test, strict=True)
    rows = [metrics.report(mask, sample.mask) for mask, sample in pairs]
    means = ", ".join(f"{key} {np.mean([row[key] for row in rows]):.3f}" for key in keys)
    print(f"{name}: {means}")

# %% first-text [markdown]
# ## 6. What to look at first
#
# Not at the table. A Betti error counts; it does not point. Look at the *worst* image, with a sign at each difference in topology: a cross in each break, a triangle on each component that is not there in truth, and so on (chapter 09, section 8). Then ask, in this order:
#
# 1. **Is it the label?** Some "mistakes" are specks and gaps of the reference.
# 2. **Joined, or removed?** Fewer pieces can mean that gaps were closed, or that faint pieces were given up. Look at what is missed (dark grey), not at the count.
# 3. **Did Dice pay?** A little is usual. Much means: the weight is too large, or the loss began too early.
# 4. **Is it more than luck?** Another seed, then paired tests (chapter 10).

# %% first tags=["end-product", "nbval-ignore-output"]
errors = {
    name: [topology_differences(mask, s.mask) for mask, s in zip(found, data.test, strict=True)]
    for name, found in predictions.items()
}
for name in networks:
    counts = count_kinds(place for places in errors[name] for place in places)
    words = ", ".join(f"{count} x {kind}" for kind, count in counts.items() if count)
    print(f"{name}: {words or 'no difference'}")
worst = int(np.argmax([len(places) for places in errors["control"]]))
shown = {name: [predictions[name][worst]] for name in networks}
marks = {name: [errors[name][worst]] for name in networks}
text = f"The test image with most differences, {data.test[worst].name}: image, reference, control, "
text += "topological; " + ", ".join(f"{name}: {len(marks[name][0])} signs" for name in networks)
figures.show(comparison_figure([data.test[worst]], shown, marks), text + ".")

# %% report-text [markdown]
# In the run that is stored here the two networks hardly differ: sixty steps are few, and the weight is small. What would you measure or change first? (Exercise 14.2 has such a case.) Four test images and a minute of training show how it is done, not what the loss is worth; with another seed, or on another processor, the digits are others.
#
# For a whole folder of masks, of *any* method, there is a page that does all this: the worst images first, each break and false merge marked, every metric of every image in a table, and two methods compared in pairs. Write the masks as files, as the next cell does, then, on the command line (after `pip install -e '.[scale]'` in the project's folder):
#
# ```
# python -m toposeg_lite.report topological truth --compare control
# ```
#
# From Python it is `toposeg_lite.report.make_report`.

# %% report
folders = {"truth": [sample.mask for sample in data.test]}
folders |= {name: predictions[name] for name in networks}
for name, some in folders.items():
    (place / name).mkdir()
    for mask, sample in zip(some, data.test, strict=True):
        Image.fromarray(255 * mask.astype(np.uint8)).save(place / name / f"{sample.name}.png")
for name in folders:
    print(f"{name}: {len(list((place / name).glob('*.png')))} masks")

# %% other-text [markdown]
# ## 7. In other people's frames
#
# - **MONAI.** The losses of this library are modules that take logits and masks, so they go where MONAI's losses go. How transforms, sliding windows and metrics of both fit together: [docs/monai.md](../../docs/monai.md).
# - **nnU-Net.** A trainer with the topological loss, for data sets and commands as nnU-Net has them: [docs/nnunet.md](../../docs/nnunet.md).
# - **The training of this library.** Crops, turns and flips, uneven light, a run that goes on after it was killed, the weight chosen on validation images, a report with a verdict: `make run ARGS="-p images DIR -p masks DIR"`, or `TrainConfig` and `train` from `toposeg_lite.training`. [Chapter 09](../09_run_a_full_training.ipynb) tells it step by step.
# - **Several classes.** With one channel for each class the losses take each class against the rest; `target` then holds the numbers of the classes.
# - **Volumes** need no other code: [chapter 13](13_go_to_three_dimensions.ipynb).

# %% exercise-1 [markdown]
# ## Exercises
#
# Each exercise has a stub to fill in, a checker that names what may have gone wrong, a hint, and a solution in [the solved notebook](./14_use_it_in_your_own_project.ipynb).
#
# ### 14.1 A weight with a pencil
#
# On three batches the gradient of the topological loss has the norms .08, .02 and .04, that of the pixel loss .02 each time. The topological loss is to pull half as hard as the pixel loss, on average over the batches as section 4 takes it. Which weight?
#
# <details><summary>Hint</summary>
#
# The three ratios are 4, 1 and 2. Average their logarithms: what is $\sqrt[3]{4 \cdot 1 \cdot 2}$?
#
# </details>

# %% exercise-1-stub
chosen_weight = None  # a number

exercises.check("14.1", chosen_weight)

# %% exercise-1-solution tags=["solution"]
# The geometric mean of 4, 1 and 2 is the cube root of 8, that is 2; and .5 / 2 is .25.
chosen_weight_solution = 0.25

exercises.check("14.1", chosen_weight_solution)

# %% exercise-2 [markdown]
# ### 14.2 What would you do next?
#
# Four people show you their results; each has a control.
#
# | | What they see |
# |---|---|
# | P | Betti-0 error halved, and Dice .04 lower: thin branches at the rim are gone |
# | Q | all scores are those of the control, to three digits |
# | R | breaks are mended, but the specks are all still there; each has a counterpart in the reference |
# | S | much better than the control with one seed, a little worse with the next |
#
# And four next steps:
#
# | | Next step |
# |---|---|
# | 1 | clean the labels |
# | 2 | train more seeds before any verdict |
# | 3 | a smaller weight, or a loss that removes nothing (chapter 04) |
# | 4 | measure the ratio of the gradients: the weight may be far too small |
#
# Give each letter its step: a string of four digits, in the order P, Q, R, S.
#
# <details><summary>Hint</summary>
#
# Go through the four questions of section 6. Who has a question of labels, who one of luck, who paid?
#
# </details>

# %% exercise-2-stub
next_steps = None  # for instance "1234"

exercises.check("14.2", next_steps)

# %% exercise-2-solution tags=["solution"]
# P: faint pieces were removed, and Dice paid. Q: the loss does nothing, so its pull is too weak. R: a
# speck that the reference has is no mistake of the network. S: one seed is an anecdote.
exercises.check("14.2", "3412")


# %% exercise-3 [markdown]
# ### 14.3 Change the method: fade the loss out
#
# `SumLoss` lets a loss begin late and warm up. Some people fade it *out* at the end as well, so that the last steps are about pixels again. Write its factor: a function of `step` (counted from 0), `start`, `warm_up`, `end`, `fade` and `weight`. Before `start` it is 0. Then it grows in equal steps to `weight`, which it has reached after `warm_up` steps (the first of these has `weight / warm_up`; at once if `warm_up` is 0). At step `end` it begins to fall in equal steps: `weight` times $1 - 1 / \mathrm{fade}$ at `end` itself, and 0 from the `fade`-th falling step on (at once 0 if `fade` is 0).
#
# <details><summary>Hint</summary>
#
# Write two numbers between 0 and 1, one for the rise and one for the fall, and multiply. The docstring of `SumLoss` has the first one.
#
# </details>

# %% exercise-3-stub
def faded(step, start, warm_up, end, fade, weight):
    """Return the factor of the loss at a step."""
    return None


exercises.check("14.3", faded)


# %% exercise-3-solution tags=["solution"]
def faded_solution(step, start, warm_up, end, fade, weight):
    """The share of the rise that is done, times the share of the fall that is not."""
    risen = min(1.0, max(0.0, (step - start + 1) / max(warm_up, 1)))
    fallen = min(1.0, max(0.0, (step - end + 1) / max(fade, 1)))
    return weight * risen * (1 - fallen)


exercises.check("14.3", faded_solution)

# %% quiz-text [markdown]
# ## Ten questions
#
# Answer first, then unfold: behind every answer stands why it is right, or what it mixes up.

# %% quiz
exercises.quiz("14")

# %% practice [markdown]
# ## In practice
#
# - **Cost.** In a training step on a processor the topological loss takes a few percent of the time, for it waits for the network; see the table of speeds in RESULTS.md. On a graphics card the logits are copied once a step.
# - **When it fails.** Labels with specks or gaps; a loss that begins before the network knows anything; crops so small that each holds pieces of many objects; a weight that was tuned on the test images.
# - **Start simple.** Pixels first, `TopologicalLoss()` with its defaults next, one weight from section 4. Change the matching, the windows or the loss only when a picture has shown you why.
# - **What critics say.** Valverde et al. (2025) found that augmentation of the data lifts a plain loss above most topological ones: do that first. Berger et al. (2024) ask that connectivity, patch and border stand beside every Betti error; `metrics.report` returns them.
#
# ## Summary
#
# You read a folder of images (1) and looked at its labels (2), trained by a loop of ten lines (3), chose a weight by the ratio of two gradients (4), compared with a control (5), looked at the worst image first (6), and know where MONAI and nnU-Net come in (7).
#
# ## Further reading
#
# - J. M. Valverde, M. Koga, N. Otsuka and A. B. Dahl, "TopoMortar: A dataset to evaluate image segmentation methods focused on topology accuracy" (2025), [arXiv:2503.03365](https://arxiv.org/abs/2503.03365): what augmentation does, and eight losses on one data set.
# - A. H. Berger et al., "Pitfalls of topology-aware image segmentation" (2024), [arXiv:2412.14619](https://arxiv.org/abs/2412.14619): labels, connectivity and fair comparisons.
# - Z. Chen, V. Badrinarayanan, C.-Y. Lee and A. Rabinovich, "GradNorm: gradient normalization for adaptive loss balancing" (2018), [arXiv:1711.02257](https://arxiv.org/abs/1711.02257): weights from the norms of gradients, for many losses at once.
# - M. J. Cardoso et al., "MONAI: an open-source framework for deep learning in healthcare" (2022), [arXiv:2211.02701](https://arxiv.org/abs/2211.02701).
# - F. Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation" (2021), [doi:10.1038/s41592-020-01008-z](https://doi.org/10.1038/s41592-020-01008-z).
# - X. Hu, "Learning Topological Representations for Deep Image Understanding" (2024), [arXiv:2403.15361](https://arxiv.org/abs/2403.15361): the dissertation that this workbook follows.
#
# ## Next
#
# This is the last chapter. [Chapter 10](10_compare_and_ablate.ipynb) helps to judge what you find; then your own images are next. Before you go on, **shut this kernel down** (menu *Kernel*, *Shut Down Kernel*): it holds memory that other work can use.
