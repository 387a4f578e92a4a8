# %% title [markdown]
# <details>
# <summary>Show all explorers: how to use this page</summary>
#
# # Show all explorers
#
# Every explorer of the workbook on one page, each on its own tab. **For a lecture** start it with `make dashboard` in the folder above: Voila opens it in the browser, without code. It runs in JupyterLab and Notebook as well.
#
# The first explorer is drawn at once, the others one after the other while nobody moves; a tab that is opened before says that it is being drawn. Every slider obeys the arrow keys, too, and the words below the picture say what is to be seen. Where there is a button *Your own image*, an image of your own can be dropped in. What is annotated on the tab *08 Annotation* is not kept; the app of [chapter 08](08_annotate_where_the_model_is_unsure.ipynb) keeps a journal.
#
# </details>

# %% parameters tags=["parameters"]
EXPLORERS = None  # names of the tabs to offer, for instance ["02 Persistence"]; None: all
OPENED = None  # the tab that is open at first; None: the first one

# %% show
from toposeg_lite import explorers

dashboard = explorers.Dashboard(EXPLORERS, opened=OPENED)
explorers.show(dashboard)

# %% questions [markdown]
# ## Questions to ask before the hand moves
#
# Let everybody write an answer down, then move.
#
# | Tab | Ask | Chapter |
# |---|---|---|
# | 01 Painting | One bar is cut, and the two are merged: Dice is .967. Which metrics see it, and which one does not? What does *Flip this pixel* do to each? | [01](01_see_images_as_spaces.ipynb) |
# | 02 Persistence | The threshold falls. Where is the next component born, and which two merge first? Which dots would noise remove? | [02](02_measure_shape_with_persistence.ipynb) |
# | 03 Descent | The loss sees two pieces where there should be one. Which pixels will rise first, and will the other vessels stay? | [03](03_train_with_a_topological_loss.ipynb) |
# | 04 Warping | How many of the pixels that differ will be left at the end? Point at one that must stay. Is it simple? | [04](04_warp_masks_without_tearing.ipynb) |
# | 05 Ridges | Which branch goes first when the persistence rises, and which when the saddle level rises? | [05](05_read_ridges_with_discrete_morse_theory.ipynb) |
# | 07 Structures | Which branches will the next sample keep, and which of them is the model least sure of? Does the map by pixels know it, too? | [07b](07b_judge_each_branch.ipynb) |
# | 08 Annotation | Real or not? Vote on each branch that is asked about, then decide. Which of the two answers would change the mask more: look at stripes and dots. | [08](08_annotate_where_the_model_is_unsure.ipynb) |
# | 10 Comparison | One seed counts, then two, then all: how far does the interval reach, and does it hold 0? Which loss do you expect in front? | [10](10_compare_and_ablate.ipynb) |
# | 13 Volumes | A slice shows two disks. Are they one component? | [13](13_go_to_three_dimensions.ipynb) |
#
# The other plans for a course are in [the map](README.md).
