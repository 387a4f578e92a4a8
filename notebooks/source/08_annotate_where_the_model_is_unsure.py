# %% c08-00 [markdown]
# # Annotate where the model is unsure
#
# **At the end** you can correct the vessels of a photograph branch by branch, say which branch to ask about first, and measure what a good order saves, as this picture does.
#
# ![Left: the retina in pale grey with its branches, wider and darker where the mask is more in doubt. Right: curves of the topological error over decisions for five orders: that of a random order stays high for long, those of the others fall early and cross each other.](../images/08.png)
#
# **Time:** 35 minutes to read, 65 with exercises.
#
# **You need** [chapter 05](05_read_ridges_with_discrete_morse_theory.ipynb): branches and persistence. [Chapter 07b](07b_judge_each_branch.ipynb): how a model learns the probability of a branch; here it is only used.
#
# **You will be able to**
#
# - say what accepting and rejecting a branch does to the mask, and do it with a pencil;
# - kill a session at any moment and find your work again;
# - draw a missing vessel with two clicks, and write the ten lines that lead the line along the ridge;
# - tell the model's uncertainty from the mask's doubt, and compare orders of questions by the area under a curve;
# - let the model learn while you work, and hand the result to other programs.

# %% c08-01 tags=["parameters"]
SEED = 0  # of the random order
RADIUS = 2.0  # half the width of a line drawn by hand, in pixels
DECISIONS = 40  # after so many of them the model learns

# %% c08-02
import heapq
import itertools
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from PIL import Image
from skimage.graph import route_through_array
from toposeg_lite import annotation, exercises, figures
from toposeg_lite.data import photos
from toposeg_lite.structures import load_pretrained
from toposeg_lite.workbook.studies.orders import order_tables, read_orders
from toposeg_lite.workbook.studies.study import REFERENCE_RUNS

torch.set_num_threads(1)  # so that the number of cores changes no digit
folder = Path(tempfile.mkdtemp())

# %% c08-03 [markdown]
# ## Predict first
#
# A network has made a mask of the vessels of an eye. You may ask an expert about three branches, one after the other:
#
# | branch | probability that it is real | is it in the mask? |
# |---|---|---|
# | A | .5 | yes |
# | B | .95 | no |
# | C | .95 | yes |
#
# 1. About which of them is the *model* most unsure?
# 2. Whose answer will most probably change the *mask*?
# 3. You will ask about all three in the end. Does the order matter at all?
#
# <details><summary>Answer</summary>
#
# 1. About A. 2. B's: it is nearly surely real, and missing. A's answer changes the mask with probability .5, C's with .05. 3. Not for the last mask, but for every one before it; and nobody ever comes to the end of a queue of a thousand branches.
#
# </details>

# %% c08-04 [markdown]
# ## 1. A decision, by hand
#
# A **decision** is a click on a whole branch. Two things can be wrong with a mask: something is missing, or something is false. *Accept* adds the path of the branch, *reject* takes away what the branch stands for, and as long as nobody has decided, the mask is where the likelihood is at or above .5.
#
# Here are four branches: a vessel without a gap, a fainter one with a gap, and two specks. Branch 0 is the vessel in row 2, branch 1 the one in row 0; branches 2 and 3 are the specks, from left to right. Decide with a pencil before you look at the right picture: accept branch 1, reject branch 2.

# %% c08-05
ROWS = [7, 6, 4.5, 6, 6.5], [0] * 5, [7.5, 7, 6, 7, 8], [0] * 5, [0, 6.5, 0, 0, 4.5]
IMAGE = np.array(ROWS) / 10
small = annotation.AnnotationSession(IMAGE, IMAGE, radius=0)
figure = Figure(figsize=(7.6, 4.2), layout="constrained")
left, right = figure.subplots(1, 2)
figures.pixel_values(IMAGE, mask=small.mask(), title="before any decision", ax=left)
small.accept(1)
small.reject(2)
figures.pixel_values(IMAGE, mask=small.mask(), title="1 accepted, 2 rejected", ax=right)
text = "A likelihood of 5x5 pixels; the mask is yellow, before and after two decisions: the gap of "
figures.show(figure, text + "branch 1 in the first row is closed, and the speck 2 is gone.")
for k, path in enumerate(small.branches.paths):
    pixels = ", ".join(str(divmod(int(p), 5)) for p in path)
    print(f"branch {k}: {pixels}")


# %% c08-06 [markdown]
# These branches share no pixel and are one pixel wide. So the naive code is short, and we can compare it with the library in *all* ways to decide about four branches: accepted, rejected, undecided.
#
# Real vessels are thick and meet. Then one must say which part of the mask belongs to which branch. Around each pixel of a path that lies in the mask is the largest disc that fits into it; a pixel of the mask belongs to the branch in whose disc it lies *deepest*, and goes if that branch is rejected. An accepted branch is painted along its path where it lies outside the mask, three pixels wide unless you say otherwise (here `radius=0`: one). `toposeg_lite.topology.branches` has the rules with drawings.
#
# It matters. Give every branch the right answer, on the test images of CHASE_DB1 and ISBI 2012: if a pixel goes with its *nearest* path, a mean Betti-matching error of 85 and 162 is left, because rejected branches leave crumbs behind; by the deepest disc it is 55 and 88. (The masks began with 85 and 183; `notebooks/reference_runs/mask-rules.json`.) And the models of chapters 07 and 07b make their masks by the same rule: whoever agrees with the model in everything gets the model's mask.

# %% c08-07
def naive_mask(likelihood, paths, decisions):
    """Return the mask where branches share no pixel and are one pixel wide."""
    mask = likelihood >= 0.5
    for path, decision in zip(paths, decisions, strict=True):
        if decision:  # 1: accepted, -1: rejected, 0: undecided
            mask.flat[path] = decision > 0
    return mask

agree, ways = 0, list(itertools.product((-1, 0, 1), repeat=4))
for decisions in ways:
    trial = annotation.AnnotationSession(IMAGE, IMAGE, radius=0)
    for k, decision in enumerate(decisions):
        if decision > 0:
            trial.accept(k)
        elif decision < 0:
            trial.reject(k)
    agree += np.array_equal(trial.mask(), naive_mask(IMAGE, trial.branches.paths, decisions))
print(f"naive code and library agree: {agree} of {len(ways)} ways to decide")

# %% c08-08 [markdown]
# ## 2. Kill it
#
# (An aside, about software and not about topology. Whoever believes that no click is lost goes on to section 3.) Work by hand is costly. Every action is a line in a **journal**, flushed to the disk before the method returns, with a checksum of its own. So nothing needs to be saved, and nothing is lost. The next cell starts another process, which accepts one branch, rejects another, and is killed in the middle of its life. Then we cut a line in half, as if the power had failed while it was written, and open the journal again: with the image, and `None` for the likelihood, which is kept beside it.

# %% c08-09
KILLED = """
import numpy as np, os, sys
from toposeg_lite.annotation import AnnotationSession
image = np.array(eval(sys.argv[1]))
session = AnnotationSession(image, image, sys.argv[2], radius=0)
session.accept(1); session.reject(2); os.kill(os.getpid(), 9)
"""
journal = folder / "small.jsonl"
ended = subprocess.run([sys.executable, "-c", KILLED, str(IMAGE.tolist()), str(journal)])
with open(journal, "ab") as file:
    file.write(b'{"do": "accept", "branch')
with warnings.catch_warnings(action="ignore"):  # it warns of the torn line
    again = annotation.AnnotationSession(IMAGE, None, journal, radius=0)
print(f"exit status {ended.returncode}; decisions: {again.decisions.tolist()}")
undone = again.undo()
print(f"left out: {len(again.problems)} line; undone now: {undone};", again.decisions.tolist())

# %% c08-10 [markdown]
# The torn line is reported, all before it is there, and even *undo* works across the kill. A second process that opens the journal at the same time is refused.
#
# ## 3. Branches of a photograph
#
# Now the retina (photograph by Mikael Häggström, CC0), and the model of chapter 07b that this project has trained on the eyes of CHASE_DB1: nobody has to train to annotate. It proposes the branches and says how probable each one is.
#
# Now decide. A branch is a number, a decision a call; several branches can be one action. What no branch proposes is **drawn**: two or three clicks, and the line follows the ridge between them. *Erase* takes away whatever lies under a line. *Undo* and *redo* go back and forth without limit.

# %% c08-11
photo, window = photos.retina(), np.s_[800:1312, 240:752]
image, silver = photo.image[:, *window].copy(), photo.mask[window]
ranking = annotation.StructureRanking(load_pretrained())
session = annotation.AnnotationSession(image, ranking, folder / "retina.jsonl", radius=RADIUS)
CLICKS = [(233, 23), (260, 0)]  # both ends of a vessel that the network has missed
session.accept(session.queue("doubt")[0])
session.reject(session.queue("doubt")[0])
session.accept([k for k in session.queue() if session.probability[k] > 0.95])  # one action
stroke = session.draw(CLICKS)
session.erase([(300, 400), (320, 400)])
session.undo()  # not that
state = session.progress()
print(f"{state.accepted} accepted, {state.rejected} rejected, {state.left} left;", end=" ")
print(f"{state.drawn} drawn")
on = silver.ravel()[stroke.path].mean()
print(f"the line has {len(stroke.path)} pixels, {100 * on:.0f} % of them on the silver reference")


# %% c08-12 [markdown]
# ## 4. Snap to the ridge
#
# How does the line find the vessel? A step from pixel to pixel costs its length times the mean of $\frac{1}{0.05 + f}$ at its two ends, where $f$ is the likelihood: on a ridge of 1 a way may be 21 times as long as across a plain of 0. The **cheapest way** between two clicks is Dijkstra's: always go on from the pixel that was cheapest to reach. We compare the ten lines with the library, and with scikit-image's `route_through_array`.

# %% c08-13
def naive_way(likelihood, start, stop):
    """Return the cost of the cheapest way between two pixels, and its pixels."""
    cost, before, heap = 1 / (0.05 + likelihood), {}, [(0.0, start, start)]
    while stop not in before:
        paid, p, last = heapq.heappop(heap)
        if p not in before:
            before[p] = last
            for q in itertools.product(*(range(max(x - 1, 0), x + 2) for x in p)):
                if q != p and q[0] < cost.shape[0] and q[1] < cost.shape[1]:
                    step = np.hypot(p[0] - q[0], p[1] - q[1]) * (cost[p] + cost[q]) / 2
                    heapq.heappush(heap, (paid + step, q, p))
    way = [stop]
    while way[-1] != start:
        way.append(before[way[-1]])
    return paid, way[::-1]


# %% c08-14
likelihood = session.likelihood.astype(float)
for start, stop in (CLICKS, [(296, 54), (337, 49)]):
    paid, way = naive_way(likelihood, start, stop)
    flat = annotation.AnnotationSession(image, likelihood).draw([start, stop]).path
    ours = list(zip(*map(np.ndarray.tolist, np.unravel_index(flat, silver.shape)), strict=True))
    theirs, cost = route_through_array(1 / (0.05 + likelihood), start, stop, geometric=True)
    print(f"{len(way)} pixels; cost {paid:.2f}, scikit-image {cost:.2f};", end=" ")
    print(f"same pixels: scikit-image {way == theirs}, library {way == ours}")

# %% c08-15 [markdown]
# All three agree. But look at the second pair of clicks: 41 pixels apart, and the way has 86. They lie on a thin vessel that the likelihood does not show at all, 15 pixels beside a strong one, and the cheapest way is a detour along the strong one. The line is only as good as the likelihood: there, click more often, or draw with `snap=False`.
#
# ## 5. At the desk
#
# With a running kernel the next picture is live: the same session, to be worked on with mouse or keyboard. **Click a branch** to accept it, and click it again to reject it; keys accept and reject the one that is asked about and go on to the next, draw, erase and take back, and are named beside the picture: **a** accepts, **r** rejects, **n** leaves it for later, **d** draws, **e** erases, **z** undoes, **?** shows all of them. Each click is in the journal before the picture changes, so reload the page whenever you like.
#
# Find: a branch that you would neither accept nor reject. What would you do with it? A stretch where the mask is right, and the model unsure.

# %% c08-16
from toposeg_lite.workbook.desk import AnnotationApp

app = AnnotationApp(session, picture=image)
app.show()

# %% film [markdown]
# The same in motion, three times; [four of its frames](../images/08-film.png) stand still.
#
# ![Six questions about framed branches of the retina, one after the other: an accepted branch becomes a green line, a rejected one a dotted purple line with a cross, and beside it the mask gains or loses what the branch stands for. Then two clicks add the branches of a faint vessel that the mask lacks, and two more draw one that no branch proposes.](../images/08-film.gif)

# %% c08-17 [markdown]
# ## 6. Which question first?
#
# Nobody answers a thousand questions. So the order matters, and there are many:
#
# - **persistence**: the most persistent branch first;
# - **pixel entropy**: the branch whose pixels are nearest to .5 in the mean;
# - **uncertainty**: the branch whose probability $p$ has the highest entropy, $-p\log_2 p - (1-p)\log_2(1-p)$;
# - **random**.
#
# The uncertainty is the *model's*. But the mask does not come from the model: it comes from the likelihood. Where the model is sure that a vessel is missing, its entropy is near 0, nobody asks, and the mask stays wrong. What should be uncertain is the *mask*. Let a branch own $o$ pixels outside the mask and $i$ inside, along its path. If it is real, the outer ones are to be added; if not, the inner ones are to go. The probability that the answer changes the mask we call its **doubt**:
#
# $$\text{doubt} = p\,[o > 0] + (1 - p)\,[i > 0], \qquad\qquad \text{gain} = p\,o + (1 - p)\,i,$$
#
# where the **gain** is how many pixels are expected to be wrong. (Least-confidence sampling, a classic of active learning, asks where $1 - P(\text{prediction})$ is largest; doubt is that, with the mask as the prediction.)
#
# Which order is best can be measured. A **simulated annotator** knows the truth, here the silver reference. It accepts a branch if three quarters of it lie on a vessel, rejects it if a quarter or less does, and leaves it otherwise. The error that is left after each click is a curve; an order is as good as the area under it is small. We compute doubt, gain and area naively, and compare with the library.

# %% c08-18
session.close()
fresh = annotation.AnnotationSession(image, ranking)
inside, formulas = (fresh.likelihood >= 0.5).ravel(), []
for path, p in zip(fresh.branches.own_paths, fresh.probability, strict=True):
    i = np.count_nonzero(inside[path])
    o = len(path) - i
    formulas.append((p * (o > 0) + (1 - p) * (i > 0), p * o + (1 - p) * i))
agree = np.allclose(formulas, np.transpose([fresh.doubt, fresh.gain]))
work = {"every": 12, "tolerance": 1, "mixed": "leave", "seed": SEED}
curve = annotation.simulate_annotator(fresh, silver, order="doubt", **work)
points = list(zip(curve.clicks, curve.scores["betti_matching_error"], strict=True))
area = sum((c - a) * (b + d) / 2 for (a, b), (c, d) in itertools.pairwise(points)) / points[-1][0]
same = abs(area - curve.area("betti_matching_error")) < 1e-9
print(f"doubt and gain agree: {agree}; area / decisions: {area:.1f}, agrees: {same}")

# %% c08-19 tags=["end-product"]
figure = Figure(figsize=(11.2, 4.6), layout="constrained")
left, right = figure.subplots(1, 2)
first = fresh.queue("doubt")[0]
options = {"label": "doubt", "title": "how probably is the mask wrong?", "chosen": first}
figures.branches_by_value(image, fresh.branches.paths, fresh.doubt, ax=left, **options)
curves = {}
for order in ("doubt", "uncertainty", "persistence", "pixel-entropy", "random"):
    found = annotation.simulate_annotator(fresh, silver, order=order, **work)
    curves[order] = found.clicks, found.scores["betti_matching_error"]
figures.order_curves(curves, ylabel="Betti-matching error", title="what is left to mend", ax=right)
text = f"The branches by the doubt of the mask; the error over {len(fresh.decisions)} decisions. "
text += "Mean: "
text += ", ".join(f"{k} {np.trapezoid(v, c) / c[-1]:.1f}" for k, (c, v) in curves.items()) + "."
figures.show(figure, text)

# %% c08-20 [markdown]
# All curves begin and end at the same error: the order is all that differs. Not even a perfect annotator comes to zero: what no branch proposes must be drawn by hand, and what is half real is left. And one photograph proves nothing: here every order beats the random one, doubt is ahead of uncertainty, and persistence and the entropy of the pixels are a little ahead of both.
#
# ## 7. Does it hold? Three data sets, and better networks
#
# `python -m toposeg_lite.training.annotation` repeats this on images that no network was trained on: 8 eyes of CHASE_DB1 and 5 slices of ISBI 2012, walls of cells. Then, to confirm what these had shown, on 34 photographs of cracked asphalt, CrackForest: nobody had looked at them before, and the orders, the options and the comparison that counts (doubt against persistence in the Betti-matching error) were fixed.
#
# All that was with networks of 400 steps, which are quick to have and not good. So the study was made once more with the training of chapter 10's studies: 3000 steps, and with them smaller crops, less change of light and a lower learning rate. Orders and options stayed. Predict: does it still matter in which order one asks?
#
# The next cell reads both: the mean area of each order; in how many images it is better than persistence; and p-values of the sign-flip test of chapter 10, how often chance alone would look like this. It is taken over images, of the eyes over the four persons to whom they belong; so it cannot be below .0625 with 5 slices, and not below .125 with 4 persons, however clear the result.

# %% c08-21
metric = "betti_matching_error"
for steps, file in ((400, "annotation-orders-400.json"), (3000, "annotation-orders.json")):
    study = read_orders(REFERENCE_RUNS / file)
    tables = {name: order_tables(found, metric) for name, found in study.items()}
    text = f"Networks of {steps} steps: mean area of seven orders on three data sets; less is "
    text += "better. The dashed line is the order by persistence; each number says in how many "
    label = f"mean Betti-matching error, {steps} steps"
    figures.show(figures.order_areas(tables, xlabel=label), text + "images an order is better.")
    for name, table in tables.items():
        images = pd.DataFrame([*study[name]["images"].values()])
        ends = [pd.DataFrame([*images[key]]).mean()[metric] for key in ("start", "end")]
        print(f"{name}, {len(images)} images of {images['branches'].min()} to", end=" ")
        print(f"{images['branches'].max()} branches: error {ends[0]:.1f}, after all {ends[1]:.1f}")
        p = table["p (persistence)"].drop("persistence")
        words = p.map(lambda value: f"{value:.3f}" if value >= 0.001 else "< .001")  # never 0
        print("  p:", ", ".join(f"{order} {word}" for order, word in words.items()))
    for other in ("cldice", "variation_of_information"):
        areas = {name: order_tables(found, other)["area"] for name, found in study.items()}
        print(f"mean area of {other}\n{pd.DataFrame(areas).round(3)}")

# %% c08-22 [markdown]
# Of the Betti-matching error and the variation of information less is better, of clDice more. Read it honestly:
#
# - **With the networks of 400 steps doubt beats persistence everywhere.** In the Betti-matching error it is better than persistence in 8 of 8 eyes, 5 of 5 slices and 32 of 34 photographs of cracks (p < .001), in the mean by 9.0, 25.6 and 5.5 errors.
# - **With the networks of 3000 steps most of that is gone.** On the eyes doubt and persistence are alike (54.1 and 54.5; 5 of 8 eyes). On the walls all decisions together take the error from 44.4 to 42.8, so that no order can matter, and persistence has the lowest mean. On the cracks, the test that was named beforehand, doubt is still better than persistence (7.2 and 8.4; 22 of 34, p = .001), but not in clDice, and in the variation of information it is behind.
# - **Why?** There is less to mend by yes and no. With 400 steps all decisions together take away 53, 57 and 87 % of the error (eyes, walls, cracks), with 3000 steps 38, 4 and 65 %. What a good network still has wrong are, we guess, branches of which half is real, and pixels at their ends: those the annotator leaves alone.
# - **What held in both:** on eyes and cracks each of the six orders leaves less error than chance does, in all eight eyes, and on cracks with p below .01: a queue of any kind is worth more than clicking here and there. **Uncertainty**, the plain entropy, is behind doubt in the Betti-matching error on all three data sets: it spends its first clicks on what the model does not know, much of which the mask has right. With the networks of 3000 steps it is behind persistence, too, in all 8 eyes. **Gain** counts pixels and is behind doubt on eyes and cracks.
# - **Count persons, not eyes.** The eight eyes belong to four persons, and what is hard in one eye is often hard in the other (exercise 10.3). Counted by eyes p would be .008 with the networks of 400 steps; counted by persons it is .125, and no order can have less.
# - **What to beware of.** Doubt was *found* by looking at curves of such eyes, with another network, and a short training. That the annotator leaves alone what is half real was decided after a look at one of the slices. The p-values are not corrected for the number of comparisons; the one named beforehand is that of doubt against persistence in the Betti-matching error on the cracks.
#
# The lesson is not about doubt alone. What a method gains over a weak network it may not gain over a good one: whoever reads that an order, a loss or a correction helps should ask how long the network beside it was trained.
#
# <details><summary>The study ran four times: what changed, and what did not</summary>
#
# - In the first run a branch had the persistence of its own pass, and that was a *better* order: on the cracks it had 25.9, and 27.6 in the second run, where little else had changed; and plain entropy was behind it on all three data sets. So that entropy beats persistence with the networks of 400 steps hangs on what persistence is.
# - For the third run, the first of the two above, the mask rule of section 1 had become that of the deepest disc, and the networks were trained anew. The Betti-matching error that is left at the end fell on the eyes (from 66.2 to 62.6) and on the slices (from 82.2 to 77.8), but on the cracks it rose (from 5.4 to 6.2), and clDice at the end fell a little on all three (eyes .808 to .799, slices .928 to .926, cracks .787 to .775). How much of that is the new mask rule, and how much the new networks, these runs cannot say.
# - The fourth, with 3000 steps, crops of 128 (before 192), light .3 (.4) and a learning rate of .002 (.003), is the second of the two above.
# - The files of the first two runs are in the history of the repository, commits 5cdf713 and 08ed092.
#
# </details>
#
# ## 8. Let the model learn, and take the result away
#
# A model can learn from your decisions. The next cell makes the first forty in the order of doubt, as the reference would answer, and asks how well the probabilities of all *other* branches fit before and after. Then it exports mask, skeleton and branches, reads the files back, and compares.

# %% c08-23
real = annotation.judge_branches(fresh, silver, tolerance=1)
for k in fresh.queue("doubt")[:DECISIONS]:
    (fresh.accept if real[k] else fresh.reject)(k)
others = fresh.decisions == 0
for when in ("before", "after"):
    p = fresh.probability[others]
    error = np.mean((p - real[others]) ** 2)
    print(f"{when} learning: squared error {error:.3f} on {len(p)} branches")
    fresh.learn()
for name in ("mask.png", "skeleton.tif", "branches.geojson"):
    fresh.export(folder / name, skeleton=name == "skeleton.tif")
mask, skeleton = (np.array(Image.open(folder / name)) > 0 for name in ("mask.png", "skeleton.tif"))
lines = json.loads((folder / "branches.geojson").read_text())["features"]
decided = [line["properties"]["decision"] for line in lines]
same = np.array_equal(mask, fresh.mask())
print(f"mask as in the session: {same}; skeleton {skeleton.sum()} pixels")
print({word: decided.count(word) for word in ("accepted", "rejected", "undecided")})

# %% c08-24 [markdown]
# On this photograph learning helped: the probabilities of the other branches came nearer to the truth. Do not count on it: the forty most doubtful branches are no fair sample of the rest, and a model that saw many eyes has little to learn from a part of one. In the study (*doubt, learning*) the effect on the order is next to none. Where the model knows nothing of the pictures, as `annotation.LogisticModel` at its start, it has more to learn.
#
# ## Exercises
#
# Each exercise has a stub to fill in, a checker that names what may have gone wrong, a hint, and a solution in [the solved notebook](./08_annotate_where_the_model_is_unsure.ipynb).
#
# ### 08.1 A queue with a pencil
#
# In which order does the *doubt* ask about the branches of `exercises.PENCIL_QUEUE`? Write the five letters.
#
# | branch | probability | pixels outside the mask | pixels inside |
# |---|---|---|---|
# | A | .5 | 0 | 6 |
# | B | .9 | 8 | 0 |
# | C | .9 | 0 | 40 |
# | D | .7 | 3 | 9 |
# | E | .2 | 0 | 4 |
#
# <details><summary>Hint</summary>
#
# For each branch: with which probability does the answer change the mask? Look twice at D.
#
# </details>

# %% c08-25
queue = None  # for instance "ABCDE"

exercises.check("08.1", queue)

# %% c08-26 tags=["solution"]
# D changes the mask whatever the answer is. B: .9, it is missing. E: 1 - .2, it is there. A: .5.
# C: 1 - .9, for it is in the mask and probably rightly so, however long it is.
exercises.check("08.1", "DBEAC")


# %% c08-27 [markdown]
# ### 08.2 Change the method: keep off
#
# An annotator has rejected a false bridge, and draws a line nearby. It must not snap to the bridge! Change `naive_way`: a function of `likelihood`, `start`, `stop` and `forbidden` (a mask) that returns the list of pixels of the cheapest way that never enters the mask. Diagonal steps between two forbidden pixels are allowed.
#
# <details><summary>Hint</summary>
#
# Where in the loop is a neighbour put on the heap? A likelihood of 0 is not enough: that is expensive, but not forbidden.
#
# </details>

# %% c08-28
def way_that_keeps_off(likelihood, start, stop, forbidden):
    """Return the pixels of the cheapest way that does not enter a mask."""
    return None


exercises.check("08.2", way_that_keeps_off)


# %% c08-29 tags=["solution"]
def way_solution(likelihood, start, stop, forbidden):
    """As naive_way, but a neighbour that is forbidden is left out."""
    cost, before, heap = 1 / (0.05 + likelihood), {}, [(0.0, start, start)]
    while stop not in before:
        paid, p, last = heapq.heappop(heap)
        if p not in before:
            before[p] = last
            for q in itertools.product(*(range(max(x - 1, 0), x + 2) for x in p)):
                if q != p and q[0] < cost.shape[0] and q[1] < cost.shape[1] and not forbidden[q]:
                    step = np.hypot(p[0] - q[0], p[1] - q[1]) * (cost[p] + cost[q]) / 2
                    heapq.heappush(heap, (paid + step, q, p))
    way = [stop]
    while way[-1] != start:
        way.append(before[way[-1]])
    return way[::-1]


exercises.check("08.2", way_solution)


# %% c08-30 [markdown]
# ### 08.3 Change the method: paid by the hour
#
# Clicks are not all alike: a long branch takes longer to look at. Say you know the seconds that each answer takes. Write a function of `probability`, `outside`, `inside` and `seconds` (arrays) that returns a number for each branch, so that the one with the highest number mends most *pixels a second*, as far as one can expect.
#
# <details><summary>Hint</summary>
#
# Which of the two formulas of section 6 counts pixels?
#
# </details>

# %% c08-31
def my_ranking(probability, outside, inside, seconds):
    """Return a number for each branch; the highest is asked first."""
    return None


exercises.check("08.3", my_ranking)


# %% c08-32 tags=["solution"]
def ranking_solution(probability, outside, inside, seconds):
    """The gain, divided by the time that it costs."""
    return (probability * outside + (1 - probability) * inside) / seconds


exercises.check("08.3", ranking_solution)

# %% quiz-text [markdown]
# ## Ten questions
#
# Answer first, then unfold: behind every answer stands why it is right, or what it mixes up.

# %% quiz
exercises.quiz("08")

# %% c08-33 [markdown]
# ## In practice
#
# - **Cost.** Opening a session on a 512x512 image takes about a second, most of it the network; a decision, an undo, a new queue and `learn()` take milliseconds.
# - **Limits.** A branch is right or wrong as a whole. Half-real ones are neither: leave them, and draw or erase. Vessels that the likelihood does not show at all are in no queue; look at the picture, not at the queue alone.
# - **When it fails.** If the probabilities are not honest (chapter 07b), neither is the doubt. A mask that is shown beside the question also *persuades*: people tend to follow what a machine proposes (Skitka et al. 1999), and no simulated annotator shows that.
# - **What critics say.** Settles (2011) lists what stands between the curves of papers and practice: costs that differ, annotators that err. Lowell et al. (2019) find that gains of active learning do not reliably carry over from one model or task to another. Simulated clicks are cheap; yours are not. Measure with people before you believe a curve.
#
# ## Summary
#
# You decided about branches with a pencil and in naive code (1), killed a session and found it again (2), corrected a photograph (3), led a line along a ridge with Dijkstra's few lines (4), and at the desk (5). You told the model's uncertainty from the mask's doubt and measured orders by areas (6), and read a study with its weak points (7). You let the model learn and exported the result (8).
#
# ## Further reading
#
# - X. Hu, D. Samaras and C. Chen, "Learning probabilistic topological representations using discrete Morse theory" (2023), [arXiv:2206.01742](https://arxiv.org/abs/2206.01742): a distribution over structures, and the proposal to annotate with it.
# - S. Gupta, Y. Zhang, X. Hu, P. Prasanna and C. Chen, "Topology-aware uncertainty for image segmentation" (2023), [arXiv:2306.05671](https://arxiv.org/abs/2306.05671): uncertainty of whole branches, shown to a person.
# - B. Settles, "From theories to queries: active learning in practice" (2011), [proceedings.mlr.press/v16/settles11a](https://proceedings.mlr.press/v16/settles11a.html): what stands between a curve and a person.
# - D. Lowell, Z. C. Lipton and B. C. Wallace, "Practical obstacles to deploying active learning" (2019), [arXiv:1807.04801](https://arxiv.org/abs/1807.04801): gains that do not carry over.
# - E. W. Dijkstra, "A note on two problems in connexion with graphs" (1959), [doi:10.1007/BF01386390](https://doi.org/10.1007/BF01386390): the cheapest way, in three pages.
# - E. N. Mortensen and W. A. Barrett, "Intelligent scissors for image composition" (1995), [doi:10.1145/218380.218442](https://doi.org/10.1145/218380.218442): lines that snap while one clicks.
# - L. J. Skitka, K. L. Mosier and M. Burdick, "Does automation bias decision-making?" (1999), [doi:10.1006/ijhc.1999.0252](https://doi.org/10.1006/ijhc.1999.0252): why proposals persuade.
# - X. Hu, "Learning Topological Representations for Deep Image Understanding" (2024), [arXiv:2403.15361](https://arxiv.org/abs/2403.15361): the dissertation that this workbook follows.
#
# ## Next
#
# [Chapter 09](../09_run_a_full_training.ipynb) trains networks at full size. Before you go on, **shut this kernel down** (menu *Kernel*, *Shut Down Kernel*): it holds memory that the next chapter can use.
