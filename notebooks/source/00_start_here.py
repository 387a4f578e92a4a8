# %% title [markdown]
# # Start here
#
# **At the end** you know that your environment works, where each chapter leads, and what the library does in ten lines; for instance that a pixel score does not see whether a net is torn.
#
# ![Left: noisy image of dark cell walls. Middle: the mask that a threshold gives; many walls have gaps. Right: the true walls, a net without gaps.](images/00.png)
#
# **Time:** 10 minutes.
#
# **You need** this folder, and Python 3.11 or newer.
#
# **You will be able to**
#
# - check an environment, and mend it if it is not OK;
# - find the chapter that you are looking for;
# - name the objects that all chapters use: likelihood, mask, Betti numbers, persistence pairs, loss.

# %% parameters tags=["parameters"]
SEED = 0  # which image is drawn

# %% check-text [markdown]
# ## 1. Is everything here?
#
# Run the next cell (Shift + Enter). It prints OK, or one line for each thing that is missing, with the command that mends it. After installing something restart the kernel (menu *Kernel*, *Restart Kernel*).

# %% check
import toposeg_lite

toposeg_lite.check()

# %% map [markdown]
# ## 2. The map
#
# | Chapter | You can, at the end | Explorer | Time |
# |---|---|---|---|
# | **00** Start here | check the environment, find the way | diagram of a net of cells | 10 min |
# | **01** [See images as spaces](01_see_images_as_spaces.ipynb) | count components and holes, explain dual connectivity, say what Dice hides | a grid to paint | 40 min |
# | **02** [Measure shape with persistence](02_measure_shape_with_persistence.ipynb) | compute a persistence diagram by hand, read one, say what is stable | threshold over image, diagram and barcode | 40 min |
# | **03** [Train with a topological loss](03_train_with_a_topological_loss.ipynb) | derive the gradient of the loss, see where it acts, name its failures | gradient descent, step by step | 45 min |
# | **04** [Warp masks without tearing](04_warp_masks_without_tearing.ipynb) | decide by hand whether a pixel is simple, run a warp, explain critical pixels | a warp, flip by flip | 40 min |
# | **05** [Read ridges with discrete Morse theory](05_read_ridges_with_discrete_morse_theory.ipynb) | build a gradient field, follow V-paths, say why persistence alone keeps false bridges | skeleton under two thresholds | 45 min |
# | **06** [Train with a Morse loss](06_train_with_a_morse_loss.ipynb) | choose skeleton or patches, say what each parameter does, judge four losses on one budget | - | 45 min |
# | **07** [Learn a distribution over structures](07_learn_a_distribution_over_structures.ipynb) | say how likely each branch is, sample whole structures, check whether probabilities are honest | samples and branches | 45 min |
# | **08** [Annotate where the model is unsure](08_annotate_where_the_model_is_unsure.ipynb) | correct a mask branch by branch, choose the order of the questions | the annotation app | 45 min |
# | **09** [Run a full training](09_run_a_full_training.ipynb) | train any dataset with any loss, read the report | - | as long as you like |
# | **10** [Compare and ablate](10_compare_and_ablate.ipynb) | read the reference runs of all losses, judge for yourself | intervals and images of a study | 45 min |
# | **13** [Go to three dimensions](13_go_to_three_dimensions.ipynb) | do all this in a volume | slices and a skeleton in space | 45 min |
#
# Read 01 first, then 02, which 03, 04 and 05 build on; 06, 07 and 08 follow 05; 09 can be run at any time, and read after 03; 10 follows 09; 13 comes last. Numbers that are missing are free for chapters to come. [All explorers in tabs](90_dashboard.ipynb) are a page of their own, for lectures.
#
# **How a chapter works.** Predict first, then run the cells from top to bottom. Every chapter starts with an example that fits on paper, does it in naive code, with the library and with an independent tool, and checks that they agree. Then comes a real photograph, an explorer to play with, and exercises. A stub that you leave alone does no harm; the checker only says "not attempted". Each exercise has a hint that unfolds, and a solution in the notebook of the same name in [`solutions`](solutions). Without a kernel, for instance on GitHub, explorers appear as a picture.

# %% tour-text [markdown]
# ## 3. The library in ten lines
#
# A *likelihood* says how probable each pixel is to be foreground; here a smoothed image stands in for a network. A threshold makes a *mask* of it. *Dice* counts pixels; *Betti numbers* count components and holes. *Persistence pairs* count them for all thresholds at once (chapter 02), and the *topological loss* draws them to the numbers of the truth (chapter 03).
#
# The drawing shows cell walls; its true topology is known by construction.

# %% imports
import torch
from skimage.filters import gaussian

from toposeg_lite import explorers, figures, metrics
from toposeg_lite.data import load_dataset
from toposeg_lite.losses import TopologicalLoss
from toposeg_lite.topology import betti_numbers, persistence_pairs

# %% tour
drawing = load_dataset("membranes", seed=SEED).test[0]
likelihood = gaussian(1 - drawing.image[0].astype(float), 2)
mask = likelihood >= 0.5
pairs = persistence_pairs(likelihood, min_persistence=0.1)
logits = torch.from_numpy(likelihood).clamp(0.001, 0.999).logit()[None, None].requires_grad_()
loss = TopologicalLoss()(logits, torch.from_numpy(drawing.mask)[None, None].double())
loss.backward()
print(f"(components, holes): truth {betti_numbers(drawing.mask)}, mask {betti_numbers(mask)}")
print(f"Dice {metrics.dice(mask, drawing.mask):.3f}, {len(pairs)} pairs of persistence above 0.1")
acts = int((logits.grad != 0).sum())
print(f"topological loss {loss.item():.3f}; its gradient acts on {acts} of {mask.size} pixels")

# %% picture tags=["end-product"]
picture = figures.image_row(
    [drawing.image[0], mask, drawing.mask],
    [
        "image",
        f"mask: {betti_numbers(mask)[1]} holes",
        f"truth: {betti_numbers(drawing.mask)[1]} holes",
    ],
)
figures.show(picture, "Noisy cell walls, the mask at threshold 0.5 with gaps, and the true net.")

# %% explorer-text [markdown]
# ## 4. Do explorers work?
#
# The next cell shows an explorer. With a kernel it is live: move the threshold, and point at a dot. If you see only a picture, run the cell; if it stays a picture, run `pip install ipywidgets anywidget`, restart JupyterLab and reload the page.

# %% explorer
explorers.show(explorers.PersistenceExplorer(likelihood, min_persistence=0.1, selected=3))

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
