# %% head [markdown]
# # Cross the domains
#
# **At the end** you can say of two data sets what keeps a network of one from working on the other, and of the lines in this picture whether the order of the losses that somebody found on some images holds on others, and how sure that is.
#
# ![Two columns of the same names of losses, in order from the best to the worst, at home on the left and on other images on the right, here the same benchmark at other angles; a line leads each loss from its rank on the left to its rank on the right, and the lines cross. The control is a wide dashed black line.](../images/11.png)
#
# **Time:** 35 minutes to read, 55 with exercises.
#
# **You need** [chapter 10](../10_compare_and_ablate.ipynb): control, seeds, intervals, the correction for several tests. From [chapter 01](../01_see_images_as_spaces.ipynb) what the Betti matching error counts.
#
# **You will be able to**
#
# - name three differences between data sets that a network does not forgive, and mend them without training;
# - count by hand how far two orders agree (Kendall's tau), and how often chance agrees as well;
# - read which losses keep their rank on images of another kind, and which only kept it at home;
# - predict an order from the faults that a data set provokes;
# - say what a rank correlation over few losses and few images cannot show.

# %% parameters tags=["parameters"]
PAIR = None  # one of the stored pairs, "HOME -> AWAY"; None: the one with the best Dice away
METRIC = "betti_matching_error"  # or "dice", "cldice"
MINE = None  # your order of the networks away, the best first: a list of their names (section 7)
SEED = 0  # of all samples

# %% setup
from importlib.metadata import version
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from scipy import stats
from scipy.ndimage import binary_dilation
from skimage.color import rgb2gray

from toposeg_lite import exercises, figures, metrics
from toposeg_lite.data import load_dataset
from toposeg_lite.structures import load_pretrained
from toposeg_lite.training import predict
from toposeg_lite.workbook.studies import read_runs
from toposeg_lite.workbook.studies.across import CONTRAST, Visitor
from toposeg_lite.workbook.studies.runs import REFERENCE_RUNS
from toposeg_lite.workbook.studies.statistics import compare_networks, kendall_tau
from toposeg_lite.workbook.studies.statistics import rank_correlation
from toposeg_lite.workbook.studies.transfer import compare_orders, read_transfers

pd.set_option("display.width", 120)
for name in ("toposeg-lite", "torch", "scipy"):
    print(f"{name}: version {version(name)}")


# %% predict [markdown]
# ## Predict first
#
# 1. A network has learned vessels on photographs of the retina, where they are darker than what is around them. Somebody shows it an angiogram, where they are brighter. What will it mark?
# 2. Five losses are put in order on one data set, and again on another. Eight of the ten pairs of losses keep their order, two change places. A habit of the field calls it significant if chance does as well in less than 5 of 100 cases. Does it?
# 3. Loss A mends half of all breaks, loss B half of all specks, on whatever data. On one data set A is the better one, on the next B. Has one of them failed to generalise?
#
# <details><summary>Answer</summary>
#
# 1. Whatever is darker than its surroundings: the gaps between the vessels, if anything. Section 3 shows it. 2. No: of the 120 orders of five losses, 28 agree or disagree at least so well, $p = .23$; section 1 counts them. 3. No. The one data set provokes breaks and the other specks, and both losses do on both what they always do. Exercise 11.2 has the numbers.
#
# </details>

# %% hand [markdown]
# ## 1. By hand: how far two orders agree
#
# Five losses, scored by a topological error on the data set that they were trained on (**home**) and on another one (**away**); fewer errors are better.
#
# | | A | B | C | D | E |
# |---|---|---|---|---|---|
# | **home** | 12 | 10 | 9 | 7 | 5 |
# | **away** | 40 | 44 | 30 | 35 | 21 |
#
# The numbers of the two rows must not be compared with each other: the images away are larger, say, or show more. What may be compared is the *order*. There are ten pairs of losses. Ask of each whether both rows say the same about who is ahead:
#
# - of A and B the first row says B, the second A: a contradiction, and so it is with C and D;
# - of the other eight pairs both say the same.
#
# **Kendall's tau** (1938) is the number of agreements minus that of contradictions, divided by the number of pairs: $\tau = (8 - 2) / 10 = .6$. It is 1 for the same order, $-1$ for the reverse, and around 0 where the one says nothing about the other.
#
# How often does chance do as well? If the order away had nothing to do with the one at home, all $5! = 120$ orders would be equally probable. One of them contradicts no pair, four contradict one, nine contradict two: 14 of 120 reach $\tau \ge .6$. As many lie at $-.6$ or below, so that $p = 28 / 120 = .23$.

# %% naive [markdown]
# ## 2. The same in naive code, and what scipy says
#
# Count the pairs. Where a score ties two losses it decides nothing about this pair; the library and scipy then divide by the pairs that are decided (*tau-b*: the geometric mean of both numbers), which without ties is the same.

# %% tau
def naive_tau(first, second):
    pairs = list(combinations(range(len(first)), 2))
    agree = sum((first[a] - first[b]) * (second[a] - second[b]) > 0 for a, b in pairs)
    against = sum((first[a] - first[b]) * (second[a] - second[b]) < 0 for a, b in pairs)
    return (agree - against) / len(pairs)


home, away = [12, 10, 9, 7, 5], [40, 44, 30, 35, 21]
scipys = stats.kendalltau(home, away, method="exact")
tau, p = rank_correlation(home, away)
print(f"tau: pencil {0.6:.3f}, naive {naive_tau(home, away):.3f}, library {tau:.3f}, "
      f"scipy {scipys.statistic:.3f}")
print(f"p:   pencil {28 / 120:.3f}, library {p:.3f}, scipy {scipys.pvalue:.3f}")
for count in (3, 5, 8, 16):
    least = rank_correlation(range(count), range(count))[1]
    print(f"{count:2} networks in the same order: p = {least:.2g}")

# %% floor [markdown]
# The last lines are the floor: three networks can never show anything, and five need the very same order, without one contradiction. An order of few losses is easily quoted and hardly ever shown.

# %% domains [markdown]
# ## 3. What a network does not forgive
#
# A network has seen only its own images. Of all that differs between two data sets, three things can be mended *without* training, before the other images are shown to it:
#
# - **channels**: it takes three colours or one grey value. Grey is repeated for three; of colours the **luminance** is taken;
# - **contrast**: structures are darker or brighter than what is beside them. Where the two data sets differ, the images are inverted, $1 - f$;
# - **scale**: structures of 4 pixels' width are another thing than those of 30. The images can be made smaller or larger for the network. The *masks* are never resized: that would change their topology.
#
# The library keeps one table of contrasts, `CONTRAST`, and a test measures it on the images. The next cell shows a part of three data sets in grey, and says how bright pixels are on the structure, and how bright within 8 pixels of it.

# %% contrast
shown, titles = [], []
for name in ("retina", "brick", "roads"):
    samples = load_dataset(name).test
    sample = samples[len(samples) // 2]
    image, mask = sample.image[..., 100:244, :144], sample.mask[100:244, :144]
    grey = image[0] if len(image) == 1 else rgb2gray(np.moveaxis(image, 0, -1))
    shown.append(np.clip(grey, 0, 1))
    titles.append(f"{name}: {CONTRAST[name]}")
    beside = binary_dilation(mask, iterations=8) & ~mask
    print(f"{name}: {len(image)} channels; brightness on the structure {grey[mask].mean():.2f}, "
          f"beside it {grey[beside].mean():.2f}")
text = "A part of three data sets in grey: dark vessels on a bright ground, bright mortar "
text += "between dark bricks, and roads of a synthetic aerial image that are brighter than fields."
figures.show(figures.image_row(shown, titles), text)

# %% abroad [markdown]
# Now a network abroad, live. The library comes with one that was trained on CHASE_DB1, photographs of children's eyes. The photograph of the `retina` is of another person, another camera and another size of vessels. `Visitor` shows it as it is, inverted, and in other sizes.
#
# Predict: which of the four will be the best, and what will be left of the inverted one?

# %% visitor tags=["nbval-ignore-output"]
torch.set_num_threads(1)
network = load_pretrained().network
sample = load_dataset("retina").test[1]
ways = {"as it is": {}, "inverted": {"inverted": True}, "half the size": {"scale": 0.5},
        "twice the size": {"scale": 2.0}}
found = {}
for name, options in ways.items():
    visitor = Visitor(network, channels=3, **options)
    found[name] = predict(visitor, sample.image, window=440)
    scores = metrics.report(found[name] >= 0.5, sample.mask)
    print(f"{name:15} Dice {scores['dice']:.2f}, clDice {scores['cldice']:.2f}, "
          f"Betti matching error {scores['betti_matching_error']:.0f}")
grey = rgb2gray(np.moveaxis(sample.image, 0, -1))
text = "A part of the retina in grey, and the likelihoods that one network gives it: as it is, "
text += "inverted, in half and in twice the size."
pictures = [grey.clip(0, 1)[:300, :300], *(one[:300, :300] for one in found.values())]
figures.show(figures.image_row(pictures, ["image", *found]), text)

# %% abroad-after [markdown]
# Read the columns together. In the run that is stored here half the size makes the fewest topological errors by far, and shows why one column is not enough: it loses most thin vessels, and a twig that is lost as a whole is no error of topology. Twice the size finds thin ones, and much that is no vessel.
#
# The network itself has not changed by a single weight: all that differs is how it is shown the image. So whoever reports that a method "does not generalise" should say first how the images were shown. What is left after these three, other cameras, other noise, other things that look like vessels, no formula mends.
#
# ## 4. The stored pairs
#
# For a fair question the networks are those of a whole study (chapter 10): one parent for each seed, then the control and every loss, for the same steps. The command
#
# ```
# python -m toposeg_lite.training across runs/main/chase_db1-... --onto retina --results notebooks/reference_runs
# ```
#
# scores all of them on the test images of another data set. Nothing is trained there, and no weight is chosen there. It leaves a file for each pair, with both places, and with how the images were shown. This chapter reads whatever files there are.

# %% pairs
transfers = read_transfers()
for name, one in transfers.items():
    print(f"{name}: {len(one.networks)} networks, {one.seeds()} seeds, "
          f"{one.images('home')} images at home, {one.images('away')} away")
    facts = one.settings
    print(f"   contrast {facts['contrast']}, channels {facts['channels']}, scale "
          f"{facts['scale']:g}; trained for {facts['pretrain_steps']} + "
          f"{facts['finetune_steps']} steps; best Dice away {one.means('dice')['away'].max():.2f}")
best = max(transfers.values(), key=lambda one: one.means("dice")["away"].max())
pair = transfers[PAIR] if PAIR else best
title = pair.metrics[METRIC]
print(f"\nThe chapter looks at {pair.name}, {title}.")

# %% means-text [markdown]
# Look at three things before you look at an order. The **steps**: networks that were trained for a few hundred steps only show how this is done; nobody would use them. The **images** away: parts of *one* photograph are one photograph. And the **best Dice** away: where it is near zero no network finds anything, and whoever ranks them ranks crumbs: the one that marks least then makes the fewest topological errors.
#
# ## 5. Scores at two places
#
# Of each network the mean over seeds and images, and in brackets its rank; 1 is the best. Read a column from top to bottom, never a row from left to right.

# %% means
columns = {}
for metric, heading in pair.metrics.items():
    means, ranks = pair.means(metric), pair.ranks(metric)
    for place in means:
        cells = zip(means[place], ranks[place], strict=True)
        columns[f"{heading}, {place}"] = [f"{mean:.3g} ({rank:g})" for mean, rank in cells]
table = pd.DataFrame(columns, index=pair.networks)
table

# %% order-text [markdown]
# ## 6. Does the order hold?
#
# A line for each network, from its rank at home to its rank away. If the order held, no line would cross another.

# %% order tags=["end-product"]
ranks = pair.ranks(METRIC)
moved = (ranks["away"] - ranks["home"]).abs().sort_values(ascending=False, kind="stable")
axes = figures.rank_lines(ranks, title=title, titles=(pair.home, pair.away))
words = [f"{name} {row['home']:g} to {row['away']:g}" for name, row in ranks.iterrows()]
figures.show(axes, f"Ranks by {title} on {pair.home} and on {pair.away}: {', '.join(words)}.")
control = ranks.loc["control"]
print(f"Ahead of the control: {(ranks['home'] < control['home']).sum()} at home, "
      f"{(ranks['away'] < control['away']).sum()} away; "
      f"{((ranks < control).all(axis=1)).sum()} at both places.")
print(f"Moved farthest: {moved.index[0]}, by {moved.iloc[0]:g} of {len(ranks) - 1} places.")

# %% tests-text [markdown]
# The picture shows ranks, and ranks exaggerate: two networks that differ by a hair take two different places. So the next table asks how sure the agreement is. **tau** is that of section 1. The **interval** samples seeds (the same at both places, for the networks are the same) and images (at each place) again; scores that are sampled again are noisier, and noise makes orders less alike, so it lies rather too low than too high. **p** is how often chance would agree, or disagree, so well, and **p_holm** is corrected for the number of all rows (chapter 10). The sentences below it are made from the table; *of crumbs* means that the best Dice away is below .2.

# %% tests
orders = compare_orders(transfers, seed=SEED)
print(orders.round(3).to_string(), "\n")
for (name, metric), row in orders.iterrows():
    word = "holds, in part" if row["tau"] > 0 else "turns round, in part"
    word = "is one that chance gives as well" if row["p_holm"] >= 0.05 else word
    crumbs = ", and of crumbs" if transfers[name].means("dice")["away"].max() < 0.2 else ""
    print(f"{name}, {transfers[name].metrics[metric]}: the order {word}{crumbs} "
          f"(tau {row['tau']:+.2f}, corrected p {row['p_holm']:.3f}).")

# %% gains-text [markdown]
# "Chance gives it as well" does not say that the order does *not* hold. With few losses it could hardly be shown (section 2), and losses that differ by nothing have no order that could hold.
#
# ### The gain, not the order
#
# Who chooses a loss seldom cares about the twelfth place. The question is rather: is what beats the control at home still better than the control away? For that the networks are compared in pairs, image by image, as in chapter 10, once at each place. Of each loss stand there the mean difference to the control, its 95 % interval over images and seeds, and a word, "better" or "worse" where the sign-flip test over images, Holm-corrected for the number of losses, is below .05, else a dot. Mind the floor: with $n$ images no p-value is below $2 / 2^n$, and the correction multiplies the smallest by the number of losses. Where the floor that the cell prints lies above .05 there can only be dots, whatever the losses do; then the intervals are all there is, and three images make bold ones.

# %% gains
rows = {}
for place in ("home", "away"):
    found = compare_networks(pair.at(place), METRIC, seed=SEED)
    better = (found["difference"] > 0) == figures.higher_is_better(METRIC)
    sure = np.where(found["p_holm"] < 0.05, np.where(better, "better", "worse"), "·")
    rows[place] = [
        f"{row['difference']:+.3g} ({row['low']:+.3g} to {row['high']:+.3g}) {word}"
        for word, (_, row) in zip(sure, found.iterrows(), strict=True)
    ]
    count = found["groups"].iloc[0]  # images, or persons where one has several
    floor = 2 / 2**count
    corrected = min(1, floor * len(found))
    print(f"{place}: control {found['control'].mean():.3g}; lower mean in "
          f"{(found['difference'] < 0).sum()} of {len(found)} losses; smallest p that "
          f"{count} images or persons allow {floor:.2g}, corrected {corrected:.2g}")
pd.DataFrame(rows, index=found.index)

# %% settings-text [markdown]
# ### Before you blame the loss: what was the network shown?
#
# The same images away, but other *trainings*. TopoMortar was made for this question: does a loss learn topology, or does it make up for something else, say too few images, bad labels or colours that were never seen? It has labels by experts (*accurate*) and two kinds of worse ones: *noisy* labels are thin lines along the mortar, with a Dice of .565 with the experts', but with Betti numbers that are wrong by .4 an image only; *pseudo* labels have the outline (.910), and Betti numbers that are wrong by 8.1. It has trainings of 50 or 10 images, and three groups of test images that are unlike all others: other *angles*, other *colors*, *shadows*. "Hue" means that half of all crops get one random hue in place of their colours, as in the benchmark's own trainings.
#
# `notebooks/studies/topomortar.yml` trains each of these, three seeds, a parent and a control each, and the cell shows them all, as they are kept in `notebooks/reference_runs/topomortar`. Each dot below is a network, with its Betti-0 and Betti-1 errors in sum, on a logarithmic scale: the same way to the left is the same share of the errors. The hollow dots are the means that the benchmark's authors published ([arXiv:2503.03365](https://arxiv.org/abs/2503.03365), of 10 seeds): of a far larger network, trained for 12,000 steps on GPUs with ten strong augmentations, so compare their dots with one another, and ours with ours, before you compare the two.
#
# Predict: by what are the errors on *colors* mended more, by a loss or by the random hue? And by what on *angles*? Which of the worse labels does more harm to connectivity, the one whose outline is wrong or the one whose holes are? And what becomes of a loss that teaches the topology of labels, where this topology is wrong?

# %% settings
errors = ["betti_0_error", "betti_1_error"]
trained = [read_runs()["topomortar-study"], *read_runs(REFERENCE_RUNS / "topomortar").values()]
found = []
for one in trained:
    data = one.parameters.get("data_options", {})
    words = f"{data.get('labels', 'accurate')}, {data.get('training', 50)} images"
    words += ", hue" if one.parameters["augment"] else ""
    scores = pd.concat([one.scores.assign(group="in distribution"), one.groups])
    means = scores.groupby(["group", "network"], sort=False)[errors].mean().reset_index()
    found.append(means.assign(setting=words, published=False))
published = pd.read_csv(REFERENCE_RUNS / "topomortar" / "published.csv")
table = pd.concat([*found, published.assign(published=True)], ignore_index=True)
order = [f"{labels} images{hue}" for labels in ("accurate, 50", "accurate, 10", "pseudo, 50",
         "noisy, 50") for hue in ("", ", hue")]  # fmt: skip
shown = ["control", "cldice", "skeleton-recall", "topological-spatial", "topological+cldice"]
order = [words for words in order if any(words in one["setting"].values for one in found)]
table = table[table["network"].isin(shown) & table["setting"].isin(order)]
table["setting"] = pd.Categorical(table["setting"], order)
table = table.sort_values("setting", kind="stable").astype({"setting": str})
table["error"] = table[errors].sum(axis=1)
text = "Betti-0 and Betti-1 errors of five networks, by labels, images, hue and group."
figures.show(figures.setting_dots(table, title="Betti-0 + Betti-1 errors an image"), text)

# %% settings-table
pairs = table[errors].map("{:.2f}".format).agg(" / ".join, axis=1)
rows = table.assign(cell=pairs, of=np.where(table["published"], "published", "here"))
rows.pivot_table("cell", ["setting", "of", "network"], "group", "first", sort=False)

# %% settings-after [markdown]
# Each mends a part that the other does not. Of the control's errors the random hue alone takes away 54 % on colors, the topological loss alone 45 %, both together 85 %; on angles 40, 71 and 79 %; on shadows 70, 70 and 91 %. So whoever says that a loss "generalises" has to say what the network was shown; on TopoMortar neither made the other superfluous. In distribution the hue adds nothing to the topological loss: 78 % with and without.
#
# With the hue the topological loss has fewer errors of both kinds than the best published row in each of the three groups; in distribution it has fewer Betti-0 and more Betti-1 errors (.47 / 1.42, published .56 / .95).
#
# And few images? With 10 in place of 50 the control makes more than twice the errors on colors, 409 and 182, and nearly twice those in distribution, 16.0 and 8.6. The topological loss takes away 86 % of them at home and 68 % on colors, with *more* Dice than the control in all four groups. Its 2.3 errors at home, of ten images, are fewer than the 8.6 that fifty make without it: in connectivity, though not in Dice (.906 and .909), the loss was worth more than forty images. clDice takes away 63 % at home, skeleton recall next to nothing. Nor does the hue make the loss superfluous there: it halves the control's errors at home, to 8.6, as forty more images did, and of these the loss takes away 77 %. On colors the hue alone takes away 57 %, the loss alone 68 %, both together 91 %; on angles the loss does nearly all of it, 31, 83 and 85 %.
#
# And worse labels? With the noisy ones, thin lines, the control has a Dice of .681, and yet 4.5 errors at home, about half of the 8.6 that accurate labels leave it: a network learns what its labels are right about, and Dice does not see it. The topological loss takes away 52 % of these, too, and 70 % on colors. Here skeleton recall, which in distribution elsewhere takes away 9 % at most, has its place: 35 %, and 9.0 points of Dice. It counts what is missed alone, which should make lines thicker, and these labels are too thin (how wide its lines are was not measured). With hue it is the same picture: the topological loss takes away 56 %, skeleton recall 44 % and 8.9 points of Dice.
#
# The pseudo labels are the other way round. Their control has nearly the Dice of the best, .872, and 42.5 errors, five times as many as with accurate labels. The topological loss takes away 82 % of them at no loss of Dice. The wrong holes lie elsewhere in each image; what the labels share is the pattern of bricks, and that, it seems, is what the loss teaches. With clDice besides it is 83 %, clDice alone 62 %, skeleton recall 6 %. The 7.7 errors that are left are fewer than the 8.1 that the labels make themselves, on their own images. With hue besides the control makes 27.7, and of these, too, the loss takes away 82 %.
#
# And the other side of it: with the hue, on colors, the network with the topological loss has 3.5 points of Dice less than its control, its sum with clDice 9.8 (with the third seed 19.0); with pseudo labels and hue the topological loss has 5.4 less. A count of errors falls also where a network marks less of what it does not know. With the accurate labels both are within .6 points of it on angles and shadows, or above. And these are *counts*, as the benchmark's authors use them: a false hole and a missing one cancel. The Betti matching error, which asks where, has the topological loss at 68 % fewer with fifty accurate images, 80 % with ten, 79 % with pseudo labels (76 % with hue besides), but at 29 % with hue and at 24 % with noisy labels (19 % with hue besides), where skeleton recall (33 %) and the sum with clDice (31 %) are ahead of it. So which loss is the best of a row hangs on how one counts, too.
#
# %% mine-text [markdown]
# ## 7. Predict the order yourself
#
# Before you look at another pair: what would *you* have said? Put the networks of the pair in order, the best first, into `MINE` in the cell of parameters (their names stand in section 5), and run the notebook again. You know what each loss does (chapters 03, 04, 06) and what the images of both places look like. The cell compares three prophets with what came out: you, the order at home, and nobody, who says that all losses are alike.
#
# Who only copies the order at home gets its tau. To beat it one has to know something about the other images.

# %% mine
truth = pair.ranks(METRIC)["away"]
prophets = {"the order at home": pair.ranks(METRIC)["home"], "nobody": 0 * truth}
if MINE is not None:
    assert sorted(MINE) == sorted(truth.index), f"name each once: {list(truth.index)}"
    prophets = {"you": pd.Series(range(len(MINE)), index=MINE, dtype=float)} | prophets
for name, said in prophets.items():
    print(f"{name}: tau {float(kendall_tau(said[truth.index], truth)):+.2f}")

# %% ex1 [markdown]
# ## Exercises
#
# Each exercise has a stub to fill in, a checker that names what may have gone wrong, a hint, and a solution in [the solved notebook](./11_cross_the_domains.ipynb).
#
# ### 11.1 Tau with a pencil
#
# At home five losses come in the order P, Q, R, S, T, the best first; away in the order Q, P, S, T, R. What is Kendall's tau?
#
# <details><summary>Hint</summary>
#
# Go through the ten pairs: PQ, PR, PS, PT, QR, ... In how many of them does the other one come first away?
#
# </details>

# %% ex1-stub
pencil_tau = None  # a number, for instance 0.8

exercises.check("11.1", pencil_tau)

# %% ex1-solution tags=["solution"]
# Three pairs are turned round: P and Q, R and S, R and T. Seven agree: (7 - 3) / 10.
exercises.check("11.1", 0.4)

# %% ex2 [markdown]
# ### 11.2 Predict the order
#
# The control makes these errors on the test images of two data sets:
#
# | errors of the control | breaks | specks | false merges |
# |---|---|---|---|
# | home | 40 | 10 | 10 |
# | away | 10 | 60 | 20 |
#
# And each loss removes, on any data set, this part of the control's errors of each kind (a negative number: it makes so many more):
#
# | loss | breaks | specks | false merges |
# |---|---|---|---|
# | A | 50 % | 0 % | 0 % |
# | B | 0 % | 50 % | 0 % |
# | C | 20 % | 20 % | 20 % |
# | D | 40 % | -20 % | 10 % |
#
# In which order do the four losses come, by the number of errors that are left: at home, and away? Give two strings, each with the best loss first.
#
# <details><summary>Hint</summary>
#
# At home, A removes half of 40 breaks, and nothing else. For D add up three products, one of them negative.
#
# </details>

# %% ex2-stub
predicted = None  # two strings, for instance ("ABCD", "DCBA")

exercises.check("11.2", predicted)

# %% ex2-solution tags=["solution"]
# Removed at home: A 20, D 16 - 2 + 1 = 15, C 12, B 5. Away: B 30, C 18, A 5, and D 4 - 12 + 2 = -6.
exercises.check("11.2", ("ADCB", "BCAD"))


# %% ex3 [markdown]
# ### 11.3 Change the method: only pairs that are clear
#
# Tau counts a pair of losses that differ by a hair as much as one that differs by half. Change it: count only the pairs whose scores differ by *more than* a margin at home **and** by more than another margin away. Write a function of `home` and `away` (lists of the mean scores, in the same order of losses), `home_margin` and `away_margin`, which returns the agreements minus the contradictions among the pairs that count, divided by *their* number; 0 if no pair counts.
#
# <details><summary>Hint</summary>
#
# Two loops over the losses, or `itertools.combinations`. Of a pair that counts, the two differences have the same sign or not.
#
# </details>

# %% ex3-stub
def clear_tau(home, away, home_margin, away_margin):
    # return a number from -1 to 1
    return None


exercises.check("11.3", clear_tau)


# %% ex3-solution tags=["solution"]
def clear_tau_solution(home, away, home_margin, away_margin):
    signs = []
    for a, b in combinations(range(len(home)), 2):
        here, there = home[a] - home[b], away[a] - away[b]
        if abs(here) > home_margin and abs(there) > away_margin:
            signs.append(1 if here * there > 0 else -1)
    return sum(signs) / len(signs) if signs else 0.0


exercises.check("11.3", clear_tau_solution)

# %% quiz-text [markdown]
# ## Ten questions
#
# Answer first, then unfold: behind every answer stands why it is right, or what it mixes up.

# %% quiz
exercises.quiz("11")

# %% practice [markdown]
# ## In practice
#
# - **Cost.** The networks are there already, so a pair costs nothing but predictions: of 16 networks and three seeds some minutes for a few images. It is the cheapest honest question that one can ask of a finished study.
# - **Limits.** Each file is about *these* networks, trained on *one* data set. A pair says nothing about the next pair. The other data set has its own labels, made by other people for other reasons: part of the error away is that two experts draw alike nowhere. And the weight of each loss was chosen at home; away another one might be better, but whoever chooses it there has trained there. Six of the sixteen networks are variants of one loss, and their ranks stand together at both places: the p-values take them for independent, and are too small. (Try section 6 with one network of each family.)
# - **When it fails.** Networks that find hardly anything away: their order says nothing about losses. Look at Dice first. Structures of another width: try `--scale`, and report it. A table of contrasts that is wrong for your images: look at them.
# - **What critics say.** Koh and others collected data sets whose test images come from elsewhere, and found that methods made for such shifts hardly beat plain training. Gulrajani and Lopez-Paz found the same when all were tuned with the same care. Rank correlations of benchmarks hide how many ranks are ties in all but name: give differences and intervals beside them.
#
# ## Summary
#
# You counted how far two orders agree, and how often chance does as well (1), and saw that naive code, library and scipy say the same (2). You mended what can be mended without training: channels, contrast and scale (3). You read how whole studies did on other data sets (4, 5), whether their order and their gains held, and how sure that is (6), and predicted an order yourself (7).
#
# ## Further reading
#
# - M. G. Kendall, "A new measure of rank correlation" (1938), [doi:10.1093/biomet/30.1-2.81](https://doi.org/10.1093/biomet/30.1-2.81): tau, with the counts of section 1.
# - P. W. Koh and others, "WILDS: a benchmark of in-the-wild distribution shifts" (2021), [arXiv:2012.07421](https://arxiv.org/abs/2012.07421): what becomes of accuracy on images from elsewhere.
# - I. Gulrajani and D. Lopez-Paz, "In search of lost domain generalization" (2020), [arXiv:2007.01434](https://arxiv.org/abs/2007.01434): a careful comparison, and how much of earlier gains it leaves.
# - J. M. Valverde, M. Koga, N. Otsuka and A. B. Dahl, "TopoMortar: A dataset to evaluate image segmentation methods focused on topology accuracy" (2025), [arXiv:2503.03365](https://arxiv.org/abs/2503.03365): eight losses, with test images of other angles, colours and shadows.
# - A. H. Berger and others, "Pitfalls of topology-aware image segmentation" (2024), [arXiv:2412.14619](https://arxiv.org/abs/2412.14619): what else makes two results hard to compare.
# - X. Hu, "Learning Topological Representations for Deep Image Understanding" (2024), [arXiv:2403.15361](https://arxiv.org/abs/2403.15361): the dissertation that this workbook follows.
#
# ## Next
#
# [Chapter 12](12_scale_up.ipynb) asks what a million images cost. Before you go on, **shut this kernel down** (menu *Kernel*, *Shut Down Kernel*): it holds memory that the next chapter can use.
