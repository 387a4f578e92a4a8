# %% head [markdown]
# # Compare and ablate
#
# **At the end** you can say of every line in this picture what it claims, how sure it is, and what it leaves open: which losses mend topology, by how much, and whether that could be luck.
#
# ![One line for each loss: a square at its mean difference to the control, a bar for the interval that other images and other seeds might give, a thinner and longer line with ends for Student's t over three seeds, small rings for the single seeds, and a dashed line at zero; the better side is shaded.](../images/10.png)
#
# **Time:** 40 minutes to read, 65 with exercises.
#
# **You need** [chapter 09](../09_run_a_full_training.ipynb) to read: parent, control, arm, and why the weight is chosen on other images than those of the verdict. From statistics the mean; nothing else.
#
# **You will be able to**
#
# - count by hand how often chance alone gives what you see;
# - read a confidence interval, and say over what it is taken: images, seeds, or both;
# - correct for the number of losses that were compared;
# - say what three seeds can show, and what they cannot;
# - read an ablation, and say which loss mends which kind of fault.

# %% parameters tags=["parameters"]
RUN = "topomortar-study"  # one of notebooks/reference_runs; None: the one with the most scores
METRIC = "betti_matching_error"  # what the losses are judged by; the Betti-0 error if it is missing
SEED = 0  # of all samples

# %% setup
from importlib.metadata import version
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from toposeg_lite import exercises, explorers, figures
from toposeg_lite.workbook.studies.statistics import bootstrap_interval, compare_networks, holm
from toposeg_lite.workbook.studies.statistics import find_groups, paired_differences
from toposeg_lite.workbook.studies.statistics import sign_flip_test
from toposeg_lite.workbook.studies.ablation import option_blocks, option_changes
from toposeg_lite.workbook.studies.faults import read_faults, which_loss
from toposeg_lite.workbook.studies.verdicts import best_losses, fault_table
from toposeg_lite.workbook.studies import read_runs
from toposeg_lite.workbook.studies.runs import REFERENCE_RUNS

pd.set_option("display.width", 120)
for name in ("toposeg-lite", "numpy", "scipy"):
    print(f"{name}: version {version(name)}")


# %% predict [markdown]
# ## Predict first
#
# A network was trained on with a new loss, and its control without it. Both are scored on the same five test images; fewer errors are better:
#
# | image | a | b | c | d | e | mean |
# |---|---|---|---|---|---|---|
# | **control** | 9 | 5 | 4 | 6 | 7 | 6.2 |
# | **new loss** | 3 | 2 | 2 | 7 | 3 | 3.4 |
#
# Write down, before you go on:
#
# 1. The errors are nearly halved. A habit of the field calls a difference significant if chance alone gives one as large in less than 5 of 100 cases. Can five images pass that?
# 2. The training is repeated with three seeds, and each time the loss wins. Suppose that it does nothing at all. How often would three seeds agree so well, for it or against it?
#
# <details><summary>Answer</summary>
#
# 1. No, not even if all five were better: section 1 counts why. 2. In one of four cases: the second and the third seed have to agree with the first, and each does so in one of two.
#
# </details>

# %% hand [markdown]
# ## 1. By hand
#
# Only the **differences** matter, image by image: new loss minus control, $-6, -3, -2, +1, -4$, with the sum $-14$. What an image makes hard for one network it makes hard for the other as well, and in the difference that cancels.
#
# Now suppose that the loss does nothing. Then it was a matter of luck which of the two networks got which of the two scores, and each difference could as well have had the other sign. So flip the signs in all ways: $2^5 = 32$, all equally probable. How many of them have a sum as far from zero as the observed one?
#
# | flipped to plus | sum |
# |---|---|
# | none | $-6-3-2-1-4 = -16$ |
# | only the 1 | $-6-3-2+1-4 = -14$, as observed |
# | only the 2 | $-6-3+2-1-4 = -12$, not far enough |
#
# Every other flip is nearer to zero. So two reach $-14$, and their mirror images reach $+14$: 4 of 32, $p = .125$. This is the **p-value** of the **sign-flip test**: how often chance alone would look at least like this. It is *not* the probability that the loss does nothing.
#
# If all five images were better, 2 of 32 would remain, $p = .0625$. No five images can do better, whatever the loss.

# %% naive [markdown]
# ## 2. The same in naive code, and what scipy says
#
# Flip all signs and count. **Wilcoxon's signed-rank test** (1945) is the same count with *ranks* in place of sizes: the smallest difference becomes 1, the next 2, and so on, and the signs stay. So one wild image cannot decide alone. With 50 images there are $2^{50}$ flips; then the library tries ten thousand of them, the observed one and 9999 at random.
#
# A p-value says whether, not how much. For that there is the **confidence interval**. Had we other five images, the mean difference would be another one. The **bootstrap** (Efron 1979) imitates that with what it has: it samples five of the five images, *with replacement*, so that some come twice and some not at all, and takes the mean. The middle 95 % of many such means are the interval. Of five images there are only $5^5 = 3125$ samples, so that here even the naive code can do all of them.

# %% flips
def naive_sign_flips(differences):
    flips = np.array(list(product([-1, 1], repeat=len(differences))))
    return np.mean(np.abs(flips @ differences) >= abs(np.sum(differences)))


def naive_signed_ranks(differences):
    return naive_sign_flips(np.sign(differences) * stats.rankdata(np.abs(differences)))


control, loss = np.array([9, 5, 4, 6, 7]), np.array([3, 2, 2, 7, 3])
five = loss - control
scipys = stats.permutation_test((five,), np.sum, permutation_type="samples").pvalue
print(f"sign flips:   naive {naive_sign_flips(five):.4f}, library {sign_flip_test(five):.4f}, "
      f"scipy {scipys:.4f}, pencil {4 / 32:.4f}")
ranks = stats.wilcoxon(five).pvalue
print(f"signed ranks: naive {naive_signed_ranks(five):.4f}, scipy {ranks:.4f}")
means = [np.mean(sample) for sample in product(five, repeat=5)]
naive = np.quantile(means, [0.025, 0.975])
library = bootstrap_interval(five, seed=SEED)
options = {"method": "percentile", "n_resamples": 5000, "rng": SEED}
scipys = stats.bootstrap((five,), np.mean, **options).confidence_interval
print(f"mean difference {five.mean():.1f}")
for name, (low, high) in (("all samples", naive), ("library", library), ("scipy", scipys)):
    print(f"{name:11} 95 % of the means lie from {low:.1f} to {high:.1f}")

# %% optimism [markdown]
# The mean of five whole numbers moves in steps of .2, so the two that sample at random may be a step off; else the three agree.
#
# The interval leaves out zero, the test says $p = .125$: do they contradict each other? With five images, yes, for the bootstrap is too bold when there is little to sample from: it never sees an image worse than the worst of the five. With 50 images the two agree well. Keep this in mind for section 6, where there are three seeds to sample from.

# %% runs [markdown]
# ## 3. The reference runs
#
# `notebooks/reference_runs` holds the scores of real trainings: of every network, every seed and every test image. They were made as in chapter 09. In each seed one parent is trained with Dice + cross-entropy; from there the **control** goes on without, and each arm with a loss added, for the same steps on the same crops. The weight of each loss is chosen on the validation images, and then the test images are scored, once. What follows reads whatever runs there are: add one of your own (`python -m toposeg_lite.training study -p dataset isbi2012_membranes -p results notebooks/reference_runs/mine-study.json`; the name must be a new one, for the stored studies are the tables of RESULTS.md), and run this chapter again.
#
# The first row below is the parent. What the control gained over it, it gained by training longer, and so does every arm: compare with the control, never with the parent.

# %% table
runs = read_runs()
for name, some in runs.items():
    print(f"{name}: {some.dataset}; losses {len(some.arms)}, seeds {len(some.seeds)}, "
          f"test images {some.images}")
run = runs[RUN] if RUN else next(iter(runs.values()))
metric = METRIC if METRIC in run.metrics else "betti_0_error"
title = run.metrics[metric]
settings = ", ".join(f"{key} {value}" for key, value in run.settings.items())
print(f"\nThe rest of the chapter looks at {run.name}, {title}. Means over the test images:")
print(settings)
by_seed = run.scores.groupby(["network", "seed"], sort=False)[[*run.metrics]].mean()
by_seed.groupby("network", sort=False).mean().rename(columns=run.metrics).round(3)

# %% pairs [markdown]
# ## 4. Why pairs
#
# How hard is an image, how good is a network? In a column of scores both are mixed. The next cell takes one loss and asks twice how sure its mean difference is: as if the two networks had been scored on *different* images, and in pairs. Each dot of the picture is a test image; where scores of one network follow those of the other, the dots lie along the diagonal, and the pairs pay off. (The intervals are those of Student's t here, which knows both cases.)

# %% pairing
network = run.arms[0]
changes = paired_differences(run.scores, metric, network)
ours, theirs = (
    run.scores[run.scores["network"] == name].groupby("image")[metric].mean()[changes.columns]
    for name in (network, "control")
)
apart, paired = stats.ttest_ind(ours, theirs, equal_var=False), stats.ttest_rel(ours, theirs)
for name, found in (("different images", apart), ("in pairs", paired)):
    low, high = found.confidence_interval()
    print(f"{name:16} {ours.mean() - theirs.mean():+.3f}, 95 % interval {low:+.3f} to {high:+.3f}")
print(f"correlation of the two networks over the images: {np.corrcoef(ours, theirs)[0, 1]:.2f}")
points = pd.DataFrame({"control": theirs, "score": ours})
axes = figures.paired_scores(points, metric=metric, title=title, network=network)
text = f"{title} of {len(points)} test images: control to the right, {network} upwards."
figures.show(axes, text)

# %% forest [markdown]
# ## 5. Two kinds of luck
#
# A mean difference depends on which **images** happened to be in the test set, and on which **seed** the training happened to start from: first weights, crops, their order. These are different questions:
#
# - *Would these networks win on other images?* Sample images.
# - *Would another training win on these images?* Sample seeds.
# - *Would another training win on other images?* Sample both. This is what matters to a reader who trains the network again.
#
# What belongs together is sampled together: both eyes of a person, in chase_db1 (`find_groups`; exercise 10.3).
#
# All seeds are scored on the same images. So a sample takes some seeds and, independently, some images, and then all scores where they cross; Owen (2007) calls it the pigeonhole bootstrap. To throw all scores of all seeds into one urn would count each image as often as there are seeds, and pretend to know more than one does.

# %% intervals-of-all tags=["end-product"]
for name in run.arms:
    changes = paired_differences(run.scores, metric, name)
    print(f"{name:20} {changes.to_numpy().mean():+7.3f}", end="")
    for over in ("images", "seeds", "both"):
        groups = find_groups(changes.columns)
        low, high = bootstrap_interval(changes, over=over, seed=SEED, groups=groups)
        print(f"   {over} {low:+.2f} to {high:+.2f}", end="")
    print()
table = compare_networks(run.scores, metric, seed=SEED)
seeds = {name: paired_differences(run.scores, metric, name).mean(axis=1) for name in run.arms}
words = [f"{n} {r['low']:.2f} to {r['high']:.2f}" for n, r in table.iterrows()]
text = f"Difference in {title} to the control, and its 95 % interval over images and seeds: "
options = {"metric": metric, "title": title, "seeds": pd.DataFrame(seeds).T}
forest = figures.difference_forest(table, **options, students_t=True)
figures.show(forest, f"{text}{'; '.join(words)}.")

# %% tests [markdown]
# Read a line like this: *the square is what we saw; values inside the bar are what we might as well have seen.* Where the bar crosses the dashed line, "no difference" is among them. That does not mean that there is none: the bar may simply be long. The thin line with ends is a second interval, over the seeds alone, by Student's t; section 6 says why it is so much longer, and why the bar is too short.
#
# ### Many losses, many chances
#
# Whoever compares seven losses that do nothing will find at least one "significant" at 5 % in three of ten studies, if the seven tests are independent: $1 - .95^7 = .30$. They are not, for they share one control and the same images. Then the number is another one, but never more than $7 \cdot .05 = .35$. **Holm's correction** (1979) multiplies the smallest of $m$ p-values by $m$, the next by $m - 1$, and so on, and never lets a larger one fall below one before it. After it, a *single* false alarm among all of them stays as improbable as the level says, whether the tests are independent or not: that is why one uses it. Exercise 10.2 writes it.
#
# In the next table "lower" and "higher" count images. The **rank-biserial correlation** is an effect size that belongs to the signed ranks: the sum of the ranks of the images that went up, minus that of those that went down, over the sum of all; from $-1$, every image lower, to $1$, every image higher. A p-value shrinks with the number of images; an effect size does not.

# %% tests-of-all
columns = ["difference", "lower", "higher", "rank_biserial", "p_wilcoxon", "p_sign_flip", "p_holm"]
assert (holm(table["p_sign_flip"]) == table["p_holm"]).all()
sure = table[table["p_holm"] < 0.05]
better = (sure["difference"] > 0) == figures.higher_is_better(metric)
for word, some in (("better", sure[better]), ("worse", sure[~better])):
    print(f"{word} than the control, Holm-corrected p below .05: {', '.join(some.index) or 'none'}")
table[columns].map("{:.3g}".format)

# %% tests-after [markdown]
# Twelve of the fifteen sign-flip p-values of *topomortar-study* are .0002, all alike. That is not a finding but the floor of the method: of ten thousand flips none but the observed one reached so far, and two sides count, $2 / 10\,000$. Read it as "at most".
#
# And one line contradicts itself. The sentence above counts **skeleton-recall** among the better ones (.012 after the correction), and the ranks agree: 28 images went down and 11 up, Wilcoxon's test has .003. But the bar of the picture holds 0. Which is right? Both, for they ask different things. The flips and the ranks ask about *images*, and take the three pairs of networks as they are. The bar samples the seeds as well, and the seeds do not say the same: the loss took away 2.7 errors an image with the first, .2 with the second and .4 with the third. The first seed has the control with the most errors, and makes 82 % of the sum. Had we drawn two seeds like the others, nothing would be left to speak of.
#
# So the sentence "better, p below .05" is true of these networks, and says little about the loss. What one may say: *it helped one network in three, the one that needed it most; whether that is the rule, other seeds would have to show.* And no line of this table was asked about seeds: section 6 does that. A threshold sorts lines into two heaps. Which of them to believe, only the whole row can tell, and the rings beside it.

# %% seeds [markdown]
# ## 6. What three seeds can say
#
# The tests of section 5 are about images. They take the mean over the seeds and treat these as given: *these* networks. What about other seeds?
#
# Flip the signs of three seeds: 8 ways, and even if all three agree, 2 of them look like that. **With three seeds no test that flips signs or compares ranks can give a p-value below .25.** The same fact, seen from the other side: the bootstrap over three seeds hardly ever leaves the range from the smallest to the largest of them, and the true median of all seeds lies outside of that range in one of four studies. So what is called a 95 % interval is, as far as seeds go, rather a 75 % one. **Student's t** pays for few seeds with a long interval instead (4.3 standard errors for three, 12.7 for two). It can leave out 0, and its p-value can be below .05, also with three seeds, for it assumes what the others do not: that seeds scatter like a bell. Three seeds cannot show that they do.
#
# The next cell samples seeds from a bell curve two thousand times and counts how often an interval holds the truth, and then gives the honest interval for the run.

# %% coverage
generator = np.random.default_rng(SEED)
for count in (3, 5, 10, 30):
    bell = generator.normal(size=(2000, count))
    sampled = np.array([bootstrap_interval(s[:, None], over="seeds", draws=1000) for s in bell])
    student = np.transpose(stats.ttest_1samp(bell, 0, axis=1).confidence_interval())
    hits = [np.mean((ends[:, 0] <= 0) & (0 <= ends[:, 1])) for ends in (sampled, student)]
    print(f"{count:2} seeds: smallest p of sign flips {2 / 2**count:.2g}; the interval holds the "
          f"truth in {hits[0]:.0%} (bootstrap), {hits[1]:.0%} (Student's t)")
print(f"\n{run.name}, {title}, Student's t over seeds:")
for name, values in seeds.items():
    low, high = -np.inf, np.inf  # one seed alone leaves everything open
    if len(values) > 1:
        low, high = stats.ttest_1samp(values, 0).confidence_interval()
    lower = f"lower with {(values < 0).sum()} of {len(values)}"
    print(f"{name:20} {low:+8.2f} to {high:+8.2f}   {lower}")

# %% seeds-after [markdown]
# Three seeds are not worthless. They are a check against the grossest mistake, a verdict that one lucky start has made; and where the three rings lie close together and far from zero, even the honest interval is clear. In *topomortar-study* it is so for two of the fifteen losses, topological-spatial and scnp. **The other thirteen intervals hold 0**, those of clDice, Topograph and the other topological losses among them, though they take away half of the errors and more: the control of the first seed makes 12.9 errors an image, the others 9.2 and 7.2, so that the gains scatter, too. What is shown of twelve of these thirteen is that **all three seeds agree in sign**, and of losses that do nothing one in four would (question 2 at the top). The command `python -m toposeg_lite.training compare` prints interval, test and Student's t of every loss on several data sets on one page; it is in RESULTS.md.
#
# But where the rings of two losses overlap they do not say which of the two is ahead: the rings hold the luck of the control, too. Take the difference of the two losses, seed by seed, and look at three numbers again. Bouthillier and others (2021) measured the sources of luck in such benchmarks: the sampling of the data, the first weights and the tuning each move the results markedly.
#
# ## 7. Ablation: what the weight does, and what the loss costs
#
# An ablation takes one part out, or turns it up and down, and leaves all else as it is. The control is the first ablation: the loss taken out. The second one turns its **weight**. Below, each weight that was tried, on the *validation* images of the first seed: what it changes in the error, and what in Dice. The rule of choice was fixed beforehand: among the weights that lose at most one point of Dice (dotted), the one with the smallest Betti-matching error (ring).
#
# A curve that still falls at its right end, without a loss of Dice, says that larger weights should be tried. A curve that goes up again says that the loss begins to work against itself. On mortar eleven of the fifteen chosen weights are **the largest that was tried**. Six of these losses (clDice, skeleton recall, Topograph, the topological one in windows, and Morse on skeletons and on both masks) stop there having lost at most .24 of the one point of Dice that they may lose, and for Topograph, windows and Morse on both masks the last step up still took away 14 to 19 % of the error. They may be weighted too low, and look weaker here than they are. (On vessels and cracks larger weights of clDice and SCNP were tried, on vessels of Topograph, `notebooks/studies/weights.yml`: they cost more Dice than is allowed, or gain next to nothing.) The line below the picture says what part of the training time each loss took.

# %% weights
first = run.validation[run.validation["seed"] == run.seeds[0]]
metrics = {metric: run.metrics[metric], "dice": "Dice"}
figure = figures.weight_panels(first, metrics=metrics, margins={"dice": -0.01}, chosen=run.chosen)
picked = [f"{name} {run.chosen[name, run.seeds[0]]:g}" for name in run.arms]
figures.show(figure, f"Change of {title} and of Dice with the weight; chosen: {', '.join(picked)}.")
cost = run.cost.groupby("network", sort=False)["share_of_loss"].mean()[run.arms]
print("share of the training time:", ", ".join(f"{n} {share:.0%}" for n, share in cost.items()))

# %% options [markdown]
# ### The options, one at a time
#
# A loss has more parts than its weight. `notebooks/studies/ablation.yml` takes them one by one, on two data sets, three seeds each; its results are in `notebooks/reference_runs/ablation`. The seven networks of the first block are three losses in every combination, each with one fixed weight: topological (1.5), warping with Dice on its critical pixels (.3), Morse with the structures of both masks and Dice (1). In each other block the first row is one of these three, and every other row differs from it in **one** thing. So read the first block against zero, and the other rows against the dotted line of their block. "balance .5" has no fixed weight at all: at every step the gradient of the loss is kept at half the length of that of the pixel loss. The table has the same numbers, and what they cost in Dice.

# %% options-of-losses
ablations = read_runs(REFERENCE_RUNS / "ablation")
blocks = option_blocks(ablations)
tables = {name: compare_networks(one.scores, metric, seed=SEED) for name, one in ablations.items()}
figure = figures.ablation_forest(tables, blocks, metric=metric, title=title)
figures.show(figure, f"Change of {title} by each part of three losses, in percent of the control.")
searched = {name: runs[f"{name}-study"] for name in ablations}
print(f"Weight; change of {title} in percent of the control; change of Dice in points:")
pd.options.display.max_rows = 100
option_changes(ablations, blocks, metric, searched).map("{:.2f}".format)

# %% option-words [markdown]
# One sentence for each part; the numbers are changes of the Betti matching error, on chase_db1 and on isbi2012_membranes.
#
# - **Which losses?** On vessels only the topological loss counts: the four networks that have it are at $-45$ to $-48$ %, the three without it at $+1$ to $+18$ %; on membranes all seven help, warping alone most ($-15$ %), and no sum goes beyond it.
# - **Dimensions:** components alone do what both do ($-48$, $-7$ %); holes alone do a quarter of it on vessels, which have few, and as much on membranes ($-11$, $-8$ %).
# - **Matching:** by place, by Betti matching and by rank lie within nine points on vessels and four on membranes, with Betti matching first on both.
# - **Windows:** half the effect on vessels ($-25$ %), but at no loss of Dice, of which the whole crop costs 1.5 points; on membranes the same as without ($-9$ %).
# - **Connectivity 1** in the loss costs ten points on vessels ($-35$ %, worse with each seed), whose labels hang together at corners, and nothing on membranes.
# - **Small pairs** left out (persistence .1), and a **warm-up**, change nothing that three seeds could show.
# - **Weight:** on vessels more of it mends more and costs more: .5, 1.5 and 4 give $-41$, $-45$ and $-48$ % for .6, 1.5 and 2.6 points of Dice; on membranes the smallest is as good as any.
# - **Pixel loss of warping:** the sign hangs on the data: on Dice it is $+18$ and $-15$ %, on cross-entropy $-6$ and $+4$ %.
# - **Connectivity and weight of warping:** connectivity 1 changes little ($+25$, $-13$ %); a weight of 1 is worse on both ($+52$, $-4$ %).
# - **Structures of Morse:** patches are worse than skeletons on vessels ($+16$ %) and like them on membranes ($-8$ %).
# - **Of which mask:** of the prediction $-6$ and $0$ %, of the truth $+38$ and $-12$ %, of both $+1$ and $-6$ %: here, too, the sign hangs on the data.
# - **Dilation, pixel loss, persistence and saddle level of Morse:** a line that is one pixel wider on each side is better than the thin one on both sets and with every seed ($-8$, $-9$ %); so is cross-entropy on the thin line in place of Dice ($-3$, $-12$ %, against $+1$, $-6$ %; every seed), on vessels for .4 points of Dice; a higher persistence changes nothing ($-1$, $-5$ %); a saddle level of .3 is worse on vessels ($+19$ %).
#
# What these rows share: an option that matters on one data set is often silent on the other, and on vessels the best option of warping (cross-entropy, $-6$ %) and of Morse (dilation 1, $-8$ %) stays far from the topological loss.
#
# ### Weight by balance, or by search?
#
# The search of section 3 tries three weights on validation images. The rule "keep the ratio of the two gradients" needs no search: the weight follows from the gradients at every step. In the table above the last rows of each block set both side by side; "searched" are the networks of `*-study`, whose parents and controls are the same.
#
# At one half the rule is safe and timid: none of the four losses costs more than .05 points of Dice, and on vessels the topological loss takes away 10 % where the searched weight takes away 41 %. At 2 clDice is where the search is ($-15$ and $-17$ % on vessels, $-9$ and $-6$ % on membranes), and the topological loss lies between: $-25$ %, but for .1 points of Dice in place of .6; on membranes $-11$ %, as by the search. (Berger and others (2026) keep the ratio below 2 to 3.) So, by these two losses on these two sets: take a ratio of 2 where a search is too dear or Dice must not fall; search where you may pay for more. And no weight, found in whatever way, mends a loss that points elsewhere: warping on Dice stays at $+13$ to $+14$ % on vessels.
#
# %% all-scores [markdown]
# ## 8. What else changed
#
# A loss is made for something, and its weight was chosen by something. To judge it, look at what it was *not* chosen by: overlap, centre lines, clusters. The next table has a word for each loss and each score: "better" or "worse" where the sign-flip test over images, Holm-corrected for the number of losses, is below .05, and else a dot. A dot is no proof of equality.
#
# The table makes many tests, one for each cell, and corrects only within a column. So read it as a map, not as a verdict: **one** score has to be named before one looks, and here that was the Betti-matching error.

# %% map
rows = {}
for key, heading in run.metrics.items():
    found = compare_networks(run.scores, key, seed=SEED)
    gain = found["difference"] * (1 if figures.higher_is_better(key) else -1)
    word = np.where(gain > 0, "better", "worse")
    rows[heading] = pd.Series(np.where(found["p_holm"] < 0.05, word, "·"), index=found.index)
pd.DataFrame(rows)

# %% faults [markdown]
# ## 9. Which loss for which fault
#
# An error counts; it does not say what is wrong. A vessel that is cut and a speck that is none are one Betti error each, but one of them ruins the tree and the other can be wiped away. So for the studies of which `notebooks/reference_runs` holds a file `*-faults.csv`, the test images were predicted once more and every difference was named by its kind (`python -m toposeg_lite.training faults`): see the six kinds in `toposeg_lite.differences`.
#
# First the answer as a table: how many faults of a kind the control makes in an image, the loss that mends most of them, by how many percent, its bootstrap interval, and what it costs in points of Dice. "Rare" is what the control makes less than once an image: there is nothing to mend. A star says that the sign-flip test over images, Holm-corrected for the number of losses, is below .05. With few images and many losses there *can* be no star, whatever the losses do: the first lines say how small the corrected p-value can get at all. The eight eyes of chase_db1 are of four persons, and the five slices of isbi2012_membranes of one stack, so nothing here speaks of another stack. Then the intervals are all there is, and they are bold (section 2). Mind also that the best of fifteen was chosen on the images that score it: it will do a little worse on others.
#
# Then all losses. Each cell of the picture holds the change of the number of faults against the control; it is framed (*sure*) where the table would have a star, and what is rare is left empty.
#
# Read it by columns. *Which fault hurts you?* Take the losses that are blue there. Then read their rows: what a loss mends of one kind it may break of another, for whoever joins pieces will sometimes join what was apart. Morse on skeletons is such a case: on *chase_db1* and *crackforest* it wipes away 12 and 10 % of the specks and makes 19 and 26 % more breaks, with every seed, and the sum hardly moves. A change that is about the same in all columns says that the loss does not tell faults apart.

# %% fault-map
faults = read_faults()
cells = which_loss(faults, seed=SEED)
for dataset, some in faults.items():
    images, losses = some["image"].unique(), some["network"].nunique() - 1
    persons = len(set(find_groups(images)))
    of = f" of {persons} persons" if persons < len(images) else ""
    print(f"{dataset}: {len(images)} images{of}, {losses} losses; "
          f"the smallest corrected p is {min(1, losses * 2 / 2**persons):.2g}")
best = best_losses(cells, {name: runs[f"{name}-study"].scores for name in faults})
pd.options.display.max_colwidth = 80
print("\nThe control's faults an image: the best loss, its change in %, its price in points:")
display(fault_table(best))
clear = best[(best["verdict"] != "rare") & (best["high"] < 0)]
said = [f"{row['dataset']}, {row['kind']}: {row['loss']} {row['change']:+.0%}"
        for _, row in clear.iterrows()]
text = "Faults by kind against the control; most is mended by: " + "; ".join(said)
figures.show(figures.fault_map(cells), text)

# %% try [markdown]
# ## 10. Judge for yourself
#
# With a running kernel the next picture is live. Choose a *Run* and a *Score*; move *Loss*, or click its row on the left. **Point at a dot** in the middle to learn which image it is, and click to mark it. Point at the ring of a seed, and on the right the line of the same seed stands out. *Seeds that count* takes only the first seeds: watch what becomes of bars and p-values when there is one less. (To follow your hand it samples fewer times than section 5, so last digits differ.) All is reachable by keyboard.
#
# 1. Is there a loss that wins in topology **and** keeps the Dice? Is it the same in every run?
# 2. Take one seed only. Which verdict of section 5 would you have had to take back?
# 3. Mark the image that a loss mended most, and the one that it spoiled most. What would you have to look at to learn why?
# 4. Two losses whose bars overlap: may you say that they are alike? That one is better?
#
# <details><summary>What we would say</summary>
#
# 1. If there is, its bar leaves out zero in the topological score and crosses it, or leaves it out on the better side, in Dice. If the answer depends on the run, say so: "on brick walls" is part of the verdict. 2. Whatever changed with the seed was never shown. 3. The pictures: `Evaluation.picture` in `toposeg_lite.training` marks and names every difference. A number tells how many, never what kind. 4. Neither. Each bar is about a difference to the control. Compare the two with each other: `compare_networks(run.scores, metric, control="the other")`, in pairs.
#
# </details>

# %% explorer
explorer = explorers.ComparisonExplorer(runs, run=run.name, metric=metric, image=1)
explorer.network = table["difference"].abs().idxmax()  # the one that changes most
explorers.show(explorer)

# %% ex1 [markdown]
# ## Exercises
#
# Each exercise has a stub to fill in, a checker that names what may have gone wrong, a hint, and a solution in [the solved notebook](./10_compare_and_ablate.ipynb).
#
# ### 10.1 Signs with a pencil
#
# Five images have the differences `exercises.PENCIL_DIFFERENCES`: $-5, -4, +2, -3, -1$. What is the two-sided p-value of the sign-flip test?
#
# <details><summary>Hint</summary>
#
# The sum is $-11$, and with all signs negative it is $-15$. Flipping one sign from minus to plus adds twice its size. Which flips stay at $-11$ or below? Then think of the other side.
#
# </details>

# %% ex1-stub
pencil_p = None  # a number, for instance 4 / 32

exercises.check("10.1", pencil_p)

# %% ex1-solution tags=["solution"]
# At -11 or below are: no sign flipped (-15), only the 1 (-13), only the 2 (-11). With 1 and 2 both
# it is -9. Three on this side, three on the other, of 32.
exercises.check("10.1", 6 / 32)


# %% ex2 [markdown]
# ### 10.2 Holm's correction
#
# Write it: a function from a list of p-values to the list of the corrected ones, in the same order. (The library has this as `holm`; do it yourself.)
#
# <details><summary>Hint</summary>
#
# `np.argsort` gives the places from the smallest to the largest. Multiply in that order by $m, m - 1, \dots, 1$; let none be smaller than one before it (`np.maximum.accumulate`), nor larger than 1; and put each back into its place.
#
# </details>

# %% ex2-stub
def correct(p_values):
    # return the corrected p-values, in the order in which they came
    return None


exercises.check("10.2", correct)


# %% ex2-solution tags=["solution"]
def correct_solution(p_values):
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(np.array(p_values)[order] * factors), 1)
    return corrected


exercises.check("10.2", correct_solution)


# %% ex3 [markdown]
# ### 10.3 Change the method: sample persons, not images
#
# In chase_db1 each person has two images, the left and the right eye, and what is hard in one is often hard in the other. To sample single images would pretend that there are twice as many persons. Change the bootstrap: write a function that takes the list of the images' persons and a NumPy generator, samples as many **persons** as there are, all alike and with replacement, and returns the places of all their images; of one who was sampled twice all images come twice. (The library does so, by `find_groups` and `groups=`.)
#
# <details><summary>Hint</summary>
#
# `generator.choice(persons, len(persons))` samples from the different persons, `sorted(set(groups))`. Then collect the places `k` with `groups[k] == person`, for each of them.
#
# </details>

# %% ex3-stub
def draw_persons(groups, generator):
    # return a list of places in `groups`
    return None


exercises.check("10.3", draw_persons)


# %% ex3-solution tags=["solution"]
def draw_persons_solution(groups, generator):
    persons = sorted(set(groups))
    drawn = generator.choice(persons, len(persons))
    return [k for person in drawn for k, group in enumerate(groups) if group == person]


exercises.check("10.3", draw_persons_solution)

# %% quiz-text [markdown]
# ## Ten questions
#
# Answer first, then unfold: behind every answer stands why it is right, or what it mixes up.

# %% quiz
exercises.quiz("10")

# %% practice [markdown]
# ## In practice
#
# - **Cost.** The statistics cost seconds. The trainings behind them cost hours: with fifteen losses, three weights and three seeds some eighty networks, of which only the first seed pays for the choice of the weights. If you can afford more, buy seeds, not weights.
# - **Limits.** All intervals here are about the images and seeds of *one* data set, one network, one budget. Nothing in them speaks of another camera, another expert, or a network ten times as large. The eight test images of chase_db1 are of four persons, which no test over persons can take below $p = .125$; the five of isbi2012_membranes are slices of one stack, which can only speak for itself. Reference masks have errors of their own, and an interval does not know of them.
# - **What a statistician would add.** One model for all scores at once, with an effect of each loss and random effects of image, person and seed (a *multilevel* model), in place of resampling them; a correction of the t-test where training sets overlap (Nadeau and Bengio 2003); and, to say "no difference", a test of *equivalence*: a margin is named beforehand, say half an error, and the whole interval has to lie inside it. A bar that crosses zero is no such proof.
# - **When it fails.** Few images: the bootstrap is too bold (section 2). Images that belong together: sample what belongs together (exercise 10.3). A score that is the mean of few large errors: look at the dots, and believe the ranks rather than the mean. Many scores tried until one is significant: name the score first.
# - **What critics say.** Berger and others found that much of what is reported for topological losses hangs on connectivity, artefacts of the references and unfair baselines; the protocol of section 3 answers that. Christodoulou and others looked at the 221 segmentation papers of a large conference of 2023: more than half reported no variability at all, and one a confidence interval. And a p-value below .05 is a habit, not a law of nature: report the difference and its interval, and let the reader judge.
#
# ## Summary
#
# You counted sign flips by hand (1) and saw naive code, library and scipy agree on tests and intervals (2). You read the scores of real trainings (3), in pairs (4), with intervals over images, seeds and both, and corrected for the number of losses (5). You know what three seeds cannot say (6), read an ablation, part by part, and weighed balance against search (7), looked at what a loss was not chosen by (8) and at the kinds of faults that each one mends (9), and judged for yourself (10).
#
# ## Further reading
#
# - A. H. Berger and others, "Pitfalls of topology-aware image segmentation", [arXiv:2412.14619](https://arxiv.org/abs/2412.14619): the protocol of the reference runs, and why it is needed.
# - A. H. Berger and others, "Sparse cubical complexes for efficient topology-preservation in image data" (2026), [code](https://github.com/AlexanderHBerger/sparse-cubical-filtration): Betti matching on what matters of an image, and a rule for the weight of a loss.
# - B. Efron, "Bootstrap methods: another look at the jackknife" (1979), [doi:10.1214/aos/1176344552](https://doi.org/10.1214/aos/1176344552): where resampling comes from.
# - A. B. Owen, "The pigeonhole bootstrap" (2007), [doi:10.1214/07-AOAS122](https://doi.org/10.1214/07-AOAS122): how to sample when two kinds of things cross, as seeds and images do.
# - F. Wilcoxon, "Individual comparisons by ranking methods" (1945), [doi:10.2307/3001968](https://doi.org/10.2307/3001968): four pages that founded the signed ranks.
# - S. Holm, "A simple sequentially rejective multiple test procedure" (1979), [jstor.org/stable/4615733](https://www.jstor.org/stable/4615733): the correction.
# - C. Nadeau and Y. Bengio, "Inference for the generalization error" (2003), [doi:10.1023/A:1024068626366](https://doi.org/10.1023/A:1024068626366): why the plain t-test is too sure where training sets overlap.
# - X. Bouthillier and others, "Accounting for variance in machine learning benchmarks" (2021), [arXiv:2103.03098](https://arxiv.org/abs/2103.03098): how much seeds, splits and tuning move a result.
# - E. Christodoulou and others, "Confidence intervals uncovered: are we ready for real-world medical imaging AI?" (2024), [arXiv:2409.17763](https://arxiv.org/abs/2409.17763): what is, and what is not, reported.
# - X. Hu, "Learning Topological Representations for Deep Image Understanding" (2024), [arXiv:2403.15361](https://arxiv.org/abs/2403.15361): the dissertation that this workbook follows.
#
# ## Next
#
# [Chapter 11](11_cross_the_domains.ipynb) asks whether the order of the losses holds on other images. Before you go on, **shut this kernel down** (menu *Kernel*, *Shut Down Kernel*): it holds memory that the next chapter can use.
