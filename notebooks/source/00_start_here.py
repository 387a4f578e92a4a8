# %% title [markdown]
# # Start here
#
# **At the end** you have watched a loss join a broken vessel, you know what it looks at and what a pixel score misses, and you know which chapter leads where.
#
# ![Four pictures in a row. The likelihood of vessels in a piece of a retina, with a dim spot on one of them. The mask before: the vessel is broken, three pieces. The mask after forty steps: one piece. The truth: one piece.](images/00.png)
#
# **Time:** 20 minutes to read.
#
# **You need** this folder, and Python 3.11 or newer. Nothing of topology.
#
# **You will be able to**
#
# - show what a topological loss does to a broken vessel;
# - check an environment, and mend it if it is not OK;
# - find the chapter that you are looking for, and the loss for a fault that you see;
# - name the objects that all chapters use: likelihood, mask, Betti numbers, persistence pairs, loss.

# %% parameters tags=["parameters"]
STEPS = 40  # down the loss

# %% wonder-text [markdown]
# ## 1. A broken vessel
#
# Run the next cell (Shift + Enter). On the left is a piece of a retina as a network might see it: the *likelihood* of each pixel to be vessel. What is at or above one half is yellow, and the blue line is the truth. One vessel has a dim spot, so the yellow *mask* is broken there; at the top, a faint one shows only a crumb.
#
# A *loss* says how wrong this is, and its gradient says how to change each pixel so that it becomes less wrong. This loss does not compare pixels. It compares *shape*: the truth is one piece, and the mask is three.
#
# **Move the slider *Step*, or press *Play the descent*,** and watch the gap. Look at the left picture only; the middle one is the subject of chapter 02, and the right one of chapter 03.

# %% wonder
from toposeg_lite import explorers
from toposeg_lite.losses import TopologicalLoss

likelihood, truth = explorers.examples.gap()
loss = TopologicalLoss(min_persistence=0.05)  # ripples are left alone
losses = {"topological": loss}
options = {"steps": STEPS, "min_persistence": 0.1}
descent = explorers.GradientExplorer(likelihood, truth, losses, **options)
explorers.show(descent)

# %% joined-text [markdown]
# With a running kernel the picture above is live. (If you see a picture only, run the cell. If it stays one, run `pip install ipywidgets anywidget`, restart JupyterLab and reload the page.)
#
# What happened between the first step and the last?

# %% joined tags=["end-product"]
from toposeg_lite import figures
from toposeg_lite.topology import betti_numbers

before = descent.start >= 0.5
descent.step = STEPS
after = descent.image >= 0.5
descent.step = 0  # the picture above begins anew
found = (after & ~before & truth).sum()
lost = (before & ~after & truth).sum()
print(f"pieces: {betti_numbers(before)[0]} before, {betti_numbers(after)[0]} after")
print(f"pixels of the truth: {found} found, {lost} lost, of {truth.sum()}")
images = [likelihood, before, after, truth]
titles = ["likelihood"]
for name, mask in (("before", before), (f"after {STEPS} steps", after), ("truth", truth)):
    titles.append(f"{name}, pieces: {betti_numbers(mask)[0]}")
text = "A likelihood of vessels; its mask, in three pieces; the mask after the descent, in one; "
text += "the truth."
figures.show(figures.image_row(images, titles), text)

# %% joined-meaning [markdown]
# Three pieces became one, and for that only a handful of pixels had to change. The loss found them by itself: nobody told it where the gap is. It did not fill the vessels either, or find the part of the faint vessel that the likelihood does not show. That is no fault. A loss of this kind cares for what hangs together, and stands *beside* an ordinary loss, which cares for all the other pixels.
#
# ## 2. What a pixel score misses
#
# Why not simply count pixels? Take the truth, and cut a slit of two pixels right through it.

# %% slit
from toposeg_lite import metrics

torn = truth.copy()
torn[:, 60:62] = False
print(f"Dice {metrics.dice(torn, truth):.3f}, of at most 1")
print(f"pieces: {betti_numbers(torn)[0]} instead of {betti_numbers(truth)[0]}")

# %% slit-meaning [markdown]
# *Dice*, the usual score, counts the pixels that two masks share, and finds nearly nothing to complain of. But no blood would flow through any of these vessels. The second line is a *Betti number*: how many pieces there are. With it this workbook begins.
#
# ## 3. Is everything here?
#
# You have seen that the library runs. The next cell looks for the rest. It prints one line, OK, or one for each thing that is missing, with the command that mends it. After installing something, restart the kernel (menu *Kernel*, *Restart Kernel*).

# %% check
import toposeg_lite

toposeg_lite.check()

# %% tour-text [markdown]
# ## 4. The library in ten lines
#
# The same objects come back in every chapter:
#
# - a **likelihood**: how probable each pixel is to be foreground, a number from 0 to 1;
# - a **mask**: what of it lies at or above a threshold;
# - **Betti numbers**: how many components (pieces) and how many holes a mask has (chapter 01);
# - **persistence pairs**: these numbers at all thresholds at once; each component and each hole has two pixels, one in which it is born and one in which it dies (only the first component never dies; chapter 02);
# - a **loss**: how far the pairs are from those of the truth. Its gradient pulls at these two pixels (chapter 03).
#
# The first cell needs NumPy only.

# %% tour
from toposeg_lite.topology import persistence_pairs

mask = likelihood >= 0.5
pairs = persistence_pairs(likelihood, min_persistence=0.1)
print("components and holes of the mask:", betti_numbers(mask))
print("components and holes of the truth:", betti_numbers(truth))
print(f"{len(pairs)} pairs; each lives for more than a tenth of all thresholds")

# %% torch-text [markdown]
# The second one is what a training does in each step. A network gives *logits*, numbers without bounds, which the loss itself turns into likelihoods; here we make them of the likelihood. PyTorch wants one axis more for the images of a batch, and one for their channels; here there is one of each.

# %% torch
import torch

logits = torch.tensor(likelihood).logit(eps=0.001)  # as if a network had said it
logits = logits[None, None].requires_grad_()  # one image, one channel
target = torch.tensor(truth)[None, None]
value = loss(logits, target)
value.backward()  # fills logits.grad
pulled = int((logits.grad != 0).sum())
print(f"loss {value.item():.3f}; its gradient pulls at {pulled} of {mask.size} pixels")

# %% map [markdown]
# ## 5. The map
#
# | Chapter | You can, at the end | Explorer |
# |---|---|---|
# | **00** Start here | check the environment, find the way | a broken vessel |
# | **01** [See images as spaces](01_see_images_as_spaces.ipynb) | count components and holes, explain dual connectivity, say what Dice hides | a grid to paint |
# | **02** [Measure shape with persistence](02_measure_shape_with_persistence.ipynb) | compute a persistence diagram by hand, read one, say what is stable | threshold over image, diagram and barcode |
# | **03** [Train with a topological loss](03_train_with_a_topological_loss.ipynb) | derive the gradient of the loss, see where it acts, name its failures | gradient descent, step by step |
# | **04** [Warp masks without tearing](04_warp_masks_without_tearing.ipynb) | decide by hand whether a pixel is simple, run a warp, explain critical pixels | a warp, flip by flip |
# | **05** [Read ridges with discrete Morse theory](05_read_ridges_with_discrete_morse_theory.ipynb) | build a gradient field, follow V-paths, say why persistence alone keeps false bridges | skeleton under two thresholds |
# | **06** [Train with a Morse loss](06_train_with_a_morse_loss.ipynb) | choose skeleton or patches, say what each parameter does, judge four losses on one budget | that of chapter 03 |
# | **07** [Learn a distribution over structures](07_learn_a_distribution_over_structures.ipynb) | sample whole structures, derive the bound that a threshold is learned by, say what no threshold can do | samples |
# | **07b** [Judge each branch](07b_judge_each_branch.ipynb) | say how likely each branch is, and check whether the probabilities are honest | samples and branches |
# | **08** [Annotate where the model is unsure](08_annotate_where_the_model_is_unsure.ipynb) | correct a mask branch by branch, choose the order of the questions | the annotation app |
# | **09** [Run a full training](09_run_a_full_training.ipynb) | train any dataset with any loss, read the report | - |
# | **10** [Compare and ablate](10_compare_and_ablate.ipynb) | read the reference runs of all losses, judge for yourself | intervals and images of a study |
# | **11** [Cross the domains](11_cross_the_domains.ipynb) | say whether the order of the losses holds on other images | ranks at two places |
# | **12** [Scale up](12_scale_up.ipynb) | measure what an image costs, and predict a million | - |
# | **13** [Go to three dimensions](13_go_to_three_dimensions.ipynb) | do all this in a volume | slices and a skeleton in space |
# | **14** [Use it in your own project](14_use_it_in_your_own_project.ipynb) | train your own network on your own images with a topological loss, and look at what it did | a report |
#
# Each takes about half an hour to read and an hour with its exercises; its head says it exactly. Read 01 first, then 02, on which 03, 04 and 05 build; 06, 07, 07b and 08 follow 05; 09 can be run at any time, and read after 03; 10 follows 09, and 11 follows 10; 12, 13 and 14 come last. Whoever is in a hurry and has images goes from 03 to 14. [All explorers in tabs](90_dashboard.ipynb) are a page of their own, for lectures.
#
# **How a chapter works.** Predict first, then run the cells from top to bottom. Every chapter starts with an example that fits on paper, does it in naive code, with the library and with an independent tool, and checks that they agree. Then come a real photograph, an explorer to play with, and exercises. A stub that you leave alone does no harm; the checker only says "not attempted". Each exercise has a hint that unfolds, and a solution in the notebook of the same name in [`solutions`](solutions). Without a kernel, for instance on GitHub, explorers appear as a picture.
#
# **Words.** The [glossary](../docs/glossary.md) has every term of the workbook with its sign, its name in the code and the words of the papers.
#
# ## 6. From the method to the paper, and from the fault to the loss
#
# The workbook follows a dissertation, [arXiv:2403.15361](https://arxiv.org/abs/2403.15361), whose four methods are published one by one. For each there is a quick check that tells whether an implementation is right, and a signature by which one knows that the method has reached its limit.
#
# | Method | Paper | Chapter | Quick check | When it fails, one sees |
# |---|---|---|---|---|
# | Persistence | [Edelsbrunner et al. 2002](https://doi.org/10.1007/s00454-002-2885-2) | [02](02_measure_shape_with_persistence.ipynb) | *Betti number consistency*: at every threshold, the dots that are alive are the components and holes of the mask (section 4) | a different diagram when rows and columns are exchanged |
# | Topological loss | [Hu et al. 2019](https://arxiv.org/abs/1906.05404) | [03](03_train_with_a_topological_loss.ipynb) | *gradient flow*: finite differences give the same gradient (section 3) | faint pieces removed instead of joined; the wrong feature matched; nothing where the network is sure |
# | Homotopy warping | [Hu 2022](https://arxiv.org/abs/2112.07812) | [04](04_warp_masks_without_tearing.ipynb) | all 256 neighbourhoods; the Betti numbers stay through a warp (sections 3 and 4) | connections that hang at one half; structures two pixels beside the truth counted as missing |
# | Morse loss | [Hu et al. 2021](https://arxiv.org/abs/2103.09992) | [05](05_read_ridges_with_discrete_morse_theory.ipynb), [06](06_train_with_a_morse_loss.ipynb) | *critical point correspondence*: passes are the critical pixels of the pairs (05, section 4) | false bridges through the dark; no pull on flat ridges, nor at breaks cut out by a saddle level |
# | Distribution over structures | [Hu et al. 2023](https://arxiv.org/abs/2206.01742), [Gupta et al. 2023](https://arxiv.org/abs/2306.05671) | [07](07_learn_a_distribution_over_structures.ipynb), [07b](07b_judge_each_branch.ipynb), [08](08_annotate_where_the_model_is_unsure.ipynb) | *calibration curve*: of what is given 70 %, seven in ten are real (07b, section 5) | one probability for all that are equally persistent; shy or bold on another camera |
#
# And the other way round: what is wrong with your masks, and which loss has a reason to mend it? The last column says what our own studies found: how many faults of this kind more or fewer than a control that was trained as long, in percent, means over three seeds. The five numbers are, in this order, *topomortar* (mortar between bricks, 50 test images), *chase_db1* (vessels, 8), *crackforest* (cracks, 34), *epfl_roads* (roads from the air, 20) and *isbi2012_membranes* (walls of cells, 5). They are five data sets and one small network: read them as hints, and [chapter 10](10_compare_and_ablate.ipynb) for how sure they are.
#
# | You see | Try first | Why | In our studies |
# |---|---|---|---|
# | false specks | topological loss | a speck is one peak: a single pixel's gradient lowers it (03, section 9) | specks −83, −64, −66, −51, −37 % |
# | broken lines | topological loss, with clDice besides if its time is there; then compare what was *found*, not only the count | it joins what is bright enough, and removes the rest (03, section 6) | breaks −93, −38, −12, −23, −46 %, with clDice −95, −43, −21, −31, −42 %; Dice −.1, −.6, .3, −.2, .2 points, with clDice −.1, −.7, .1, −.9, .1 points |
# | false holes | topological loss with clDice, or SCNP | a false hole is a pit that has to be filled; SCNP asks the worst neighbour of each pixel | false holes −68, −44, −58, −64, −29 %; SCNP −19, −58, −56, −46, −49 %, but Dice −.1, −.9, −.9, −.1, −.4 points |
# | broken lines, and nothing may be removed | warping loss | each critical pixel is told its true value (04, section 7) | breaks −45, +8, −1, −3, −19 %: it kept its promise on two sets of five |
# | the whole course of faint lines matters | Morse loss | it pulls along whole ridges (06, section 4) | breaks, on skeletons −35, +19, +26, +11, −1 %; on the ridges of prediction and truth both −29, −11, −2, −26, −19 % |
# | Dice must not fall | clDice, or the topological loss in windows; then look | centre lines instead of features (01, section 5); a window sees a few features at a time (03, section 7) | Betti matching error, clDice −53, −17, −17, −28, −6 %, Dice .1, .0, .0, −.6, .0 points; in windows −64, −19, −21, −19, −9 %, Dice .1, .1, −.4, .5, .1 points. clDice took 13 to 15 % of the training time |
# | wrong width, wrong place | none of them: a pixel loss | topology does not see it (01, section 5) | - |
# | you cannot say which mask is right | a distribution over structures, or a person who is asked | one mask cannot say "perhaps" (07b, 08) | error of calibration 4 % by branch, 19 % by pixels (chase_db1) |

# %% quiz-text [markdown]
# ## Ten questions
#
# Answer first, then unfold: behind every answer stands why it is right, or what it mixes up.

# %% quiz
from toposeg_lite import exercises

exercises.quiz("00")

# %% end [markdown]
# ## Next
#
# Begin with [chapter 01](01_see_images_as_spaces.ipynb). First **shut this kernel down** (menu *Kernel*, *Shut Down Kernel*): every open notebook holds memory that the next one can use.
