# %% title [markdown]
# # Scale up
#
# **At the end** you know what metrics and losses cost on a million images before you have computed them: you measured a thousand, fitted this line, and know what may bend it.
#
# ![Time of one core against the number of images, both axes in powers of ten: for each job its measurements as signs, a line through them that goes on as dashes to a million images, and horizontal marks at a minute, an hour and a day.](../images/12.png)
#
# **Time:** 30 minutes to read, 55 with exercises.
#
# **You need** [chapter 03](../03_train_with_a_topological_loss.ipynb): what a loss computes of an image. From Python that a function can run in another process. Beside the workbook three further packages: `pip install -e '.[scale]'` in the project's folder.
#
# **You will be able to**
#
# - keep images in one store, and let processes take chunks of it, with memory that does not grow;
# - measure what an image costs, also on a machine that does other work;
# - fit the cost and predict a million images on 2, 64 or 1000 cores, with an interval;
# - name what breaks the straight line: disk, scheduler, stragglers;
# - start a sweep of trainings, and a report on very many masks, that survive a kill.

# %% parameters tags=["parameters"]
COUNT, WORKERS = 500, 2  # patches that are measured here, and twice as many; by so many processes
RESULTS = None  # a table of `python -m toposeg_lite.training scale`; None: the reference run
SEED = 0  # of what is simulated

# %% setup
import heapq
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import zarr
from matplotlib.figure import Figure
from PIL import Image
from scipy.optimize import curve_fit

from toposeg_lite import exercises, figures
from toposeg_lite.report import make_report
from toposeg_lite.workbook.studies.costs import fit_cost
from toposeg_lite.workbook.studies.runs import REFERENCE_RUNS
from toposeg_lite.workbook.studies.scale import LEVEL, draw_patches, make_store, measure_scale
from toposeg_lite.workbook.studies.sweep import read_sweep

place = Path(tempfile.mkdtemp())

# %% predict [markdown]
# ## Predict first
#
# 1. On one core 1000 images take 12 seconds, 10,000 take 102. How long does a million take on one core, and how long on 100?
# 2. One worker has 16 GB of memory, the images are 400 GB. Can it do them?
# 3. A thousand workers have one task each, all alike. One of the workers is five times slower than the others. How much later does it all end?
#
# <details><summary>Answer</summary>
#
# 1. Each further image costs 10 ms, and 2 s are spent at the start: 10,002 s on one core, nearly three hours. On 100 of them 100 s if the start is shared like the rest, 102 if it is done once before all else; and if nothing stands in their way. 2. Yes, if it reads them in chunks and keeps only numbers. 3. Five times as late: all wait for the last one. With ten shorter tasks for each worker the others would take most of its share.
#
# </details>
#
# **Why a million?** A slide of pathology of 100,000 x 100,000 pixels holds 38,000 crops of 512 x 512: 26 slides are about a million. A training with batches of 4 takes its loss of a million crops in 250,000 steps. Twenty films of a microscope, an image a second over half a day, are nearly as many. Whoever wants to know whether a metric or loss can be used there needs a number before, not after.

# %% hand [markdown]
# ## 1. By hand
#
# Two measurements on one core: 1000 images in 12 s, 10,000 in 102 s. What is done once, whatever follows, is the **start**; what each image takes is its **cost**:
#
# $$t(n) = \mathrm{start} + \mathrm{cost} \cdot n.$$
#
# The difference has no start in it: 9000 images took 90 s, so the cost is 10 ms, and $12 - 1000 \cdot .01 = 2$ s are left for the start. Divided the simple way, $12 / 1000$, an image would seem to cost 12 ms, a fifth too much.
#
# Two points have one line, and three have none that meets them all. Which one is best? Least squares make the sum of squared errors small; but an error of 1 s is much at 12 s and nothing at 1000 s. So errors are divided by their own time: **relative** errors, which let a small measurement say as much as a large one.
#
# ## 2. Naive code, the library and scipy agree
#
# Naive: try many lines, and keep the best one. `fit_cost` solves the equations; [scipy](https://scipy.org) knows nothing of either, and is told by `sigma` what an error weighs.

# %% line
def relative_error(start, cost, counts, seconds):
    return np.sum(((start + cost * counts) / seconds - 1) ** 2)


counts, seconds = np.array([1000, 10_000, 100_000]), np.array([12.0, 105.0, 990.0])
starts, costs = np.arange(0, 5, 0.01), np.arange(0.009, 0.011, 0.000002)
tried = [[relative_error(s, c, counts, seconds) for c in costs] for s in starts]
best = np.unravel_index(np.argmin(tried), (len(starts), len(costs)))
table = pd.DataFrame({"count": counts, "cpu_seconds": seconds})
line = fit_cost(table)
scipys, _ = curve_fit(lambda n, s, c: s + c * n, counts, seconds, p0=(1, 0.01), sigma=seconds)
print(f"naive:   start {starts[best[0]]:.2f}, cost {1000 * costs[best[1]]:.3f} thousandths")
print(f"library: start {line.start:.2f}, cost {1000 * line.cost:.3f} thousandths")
print(f"scipy:   start {scipys[0]:.2f}, cost {1000 * scipys[1]:.3f} thousandths")
print(f"95 % interval of the cost: {1000 * line.low:.2f} to {1000 * line.high:.2f}")

# %% interval [markdown]
# The interval is Student's: three measurements, two of them spent on the line, leave one to tell how they scatter, and one is hardly anything. Six leave four; that is why every size is measured with one and with two workers below.
#
# ## 3. One store, chunks, tasks
#
# A million files are slow to list, to copy and to open. A **store** is one array on the disk, cut into **chunks** that are compressed one by one: here by [Zarr](https://zarr.dev), a folder with a file for each chunk. Whoever wants patches 500 to 999 reads one file.
#
# Our patches are drawn, for no photograph has a million alike: a smooth random field as likelihood, and as truth the same after a part of it was changed. What they cost depends on how many features they have: these are smooth, and noisy likelihoods of the same size cost more.

# %% store
held = make_store(place / "64.zarr", COUNT, 64)
group = zarr.open_group(place / "64.zarr", mode="r")
for name in ("likelihoods", "truths"):
    array = group[name]
    print(f"{name}: {array.shape} of {array.dtype}, chunks of {array.chunks}")
files = [file for file in (place / "64.zarr").rglob("*") if file.is_file()]
on_disk = sum(file.stat().st_size for file in files)
kilobytes = np.array([2 * 64 * 64, on_disk / held]) / 1000
print(f"kilobytes a patch: {kilobytes[0]:.0f} in memory, {kilobytes[1]:.0f} on the disk")
likelihoods, truths = draw_patches(3, 64, seed=SEED)
figure, axes = figures.parts(3)
agree = [np.mean((p > LEVEL) == t) for p, t in zip(likelihoods, truths, strict=True)]
for ax, likelihood, truth, share in zip(axes, likelihoods, truths, agree, strict=True):
    figures.image_with_pairs(likelihood / 255, ax=ax)
    ax.plot(*figures.outline(truth), color=figures.TRUTH, lw=1, label="outline of the truth")
    ax.set_title(f"{share:.0%} of pixels agree", fontsize="medium")
axes[1].legend(loc="upper center", bbox_to_anchor=(0.5, 0), frameon=False)
shares = ", ".join(f"{share:.2f}" for share in agree)
text = f"Three patches; truth as an outline. Shares of pixels that agree: {shares}."
figures.show(figure, text)

# %% tasks [markdown]
# A **task** is: open the store, read one chunk, compute, give back a few numbers, forget the chunk. Tasks know nothing of each other, so that any **worker**, a process of this or another machine, may take any of them; a **scheduler** hands them out. Here that is [Dask](https://distributed.dask.org). Two rules follow, and most of what goes wrong at scale breaks one of them:
#
# - **A worker holds one chunk**, never the store, and gives back numbers, never images. Then its memory is *flat*, or nearly: a few percent more for a million images than for a thousand.
# - **The scheduler hands out places**, not data: "chunk 7", not the patches of chunk 7.
#
# Within its chunk a worker takes the loss of batches of 100 patches. Larger ones are hardly faster, and the intermediate results of a loss like clDice would fill the memory.
#
# ## 4. Measure it here
#
# The next cell starts processes, lets them import and compile everything, and only then looks at the clock. Predict: do two workers need half of the time of one?

# %% throughput tags=["nbval-ignore-output"]
print("job: the topological loss, forward and backward, of patches of 64 x 64")
parts = [
    measure_scale(place, "topological", [COUNT, 2 * COUNT], workers)
    for workers in sorted({1, WORKERS})
]
live = pd.concat(parts, ignore_index=True)
for row in live.itertuples():
    share = row.cpu_seconds / (row.seconds * row.workers)
    print(f"workers {row.workers}, {row.count} patches: {row.seconds:.2f} s by the clock, "
          f"{row.cpu_seconds:.2f} s computed ({share:.0%} of the cores), {row.peak_mb:.0f} MB")
line = fit_cost(live)
print(f"one patch, one core: {1000 * line.cost:.3f} ms "
      f"({1000 * line.low:.3f} to {1000 * line.high:.3f} ms)")
for cores in (2, 64, 1000):
    print(f"a million on {cores} cores: {line.predict(10**6, cores)[0]:.1f} s")

# %% clock [markdown]
# **Which clock?** A measurement has two times. One is on the wall. The other is how long the processors have computed for it, `cpu_seconds`, summed over all workers. On a machine that does nothing else they agree but for what is waited for; on one that others use, the wall says how busy *they* were, and the processors still say what an image costs. That is not perfectly so: whoever shares a processor also shares its caches. The *share of the cores* in the output above tells which case you are in; below four fifths, believe the processors.
#
# The stored output is from some machine on some day, and yours will differ. So the chapter quotes no number of it, and goes on with a file.
#
# ## 5. Read the reference run
#
# `notebooks/reference_runs/scale.csv` was made by `python -m toposeg_lite.training scale`: for each size a row with the columns of the last table. "report" is all metrics of `metrics.report`; the others are losses with their gradient. Make a file on your machine, set `RESULTS`, and run the rest of the chapter again.

# %% run
run = pd.read_csv(RESULTS or REFERENCE_RUNS / "scale.csv")
run["share"] = run["cpu_seconds"] / (run["seconds"] * run["workers"])
sides = ", ".join(f"{side} x {side}" for side in sorted(run["side"].unique()))
print(f"{len(run)} measurements; images of {sides}; up to {run['count'].max()} of them, "
      f"with {run['workers'].min()} to {run['workers'].max()} workers")
print(f"share of the cores that workers had: {run['share'].min():.0%} to {run['share'].max():.0%}")
lines = {}
for (side, job), rows in run.groupby(["side", "job"], sort=False):
    if rows["count"].nunique() > 1:
        lines[side, job] = fit_cost(rows)
for (side, job), line in lines.items():
    cost, low, high = (f"{1000 * value:.3g}" for value in (line.cost, line.low, line.high))
    print(f"{job:15} {side} x {side}: {cost} thousandths of a second, interval {low} to {high}")
for (side, job), rows in run.dropna(subset="peak_mb").groupby(["side", "job"], sort=False):
    few, many = rows.loc[rows["count"].idxmin()], rows.loc[rows["count"].idxmax()]
    print(f"memory of a worker, {job}, {side} x {side}: {few['count']:,} images "
          f"{few['peak_mb']:.0f} MB, {many['count']:,} images {many['peak_mb']:.0f} MB")

# %% picture tags=["end-product"]
figure = Figure(figsize=(8.5, 4.6), layout="constrained")
ax = figure.subplots()
colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9", "#999999",
           "#8C510A"]  # fmt: skip
side = run["side"].min()
jobs = sorted((job for s, job in lines if s == side), key=lambda job: -lines[side, job].cost)
for place_of, job in enumerate(jobs):
    rows, line = run[(run["side"] == side) & (run["job"] == job)], lines[side, job]
    colour, sign = colours[place_of % 9], "os^vDPX*<>"[place_of % 10]
    ax.plot(rows["count"], rows["cpu_seconds"], sign, color=colour, label=job, mfc="none")
    for ends, style in (((rows["count"].min(), rows["count"].max()), "-"),
                        ((rows["count"].max(), 10**6), "--")):  # fmt: skip
        ax.plot(ends, [line.predict(n)[0] for n in ends], style, color=colour, lw=1.2)
left = run[run["side"] == side]["count"].min()
for seconds_of, word in ((60, "a minute"), (3600, "an hour"), (86400, "a day")):
    ax.axhline(seconds_of, color="0.75", lw=0.8, zorder=0)
    ax.text(left, seconds_of, word, va="bottom", color="0.35")
ax.set(xscale="log", yscale="log", ylabel="seconds of one core",
       xlabel=f"images of {side} x {side}; dashed: predicted")
ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
text = "; ".join(f"{job} {lines[side, job].predict(10**6)[0] / 3600:.2f}" for job in jobs)
figures.show(figure, f"Time of one core by the number of images. A million, in hours: {text}.")

# %% million-text [markdown]
# On axes in powers of ten a straight line through 0 has slope one. Where the measurements lie on it to the left as well as to the right, there is no start to speak of, and the cost is the whole story. And the memory? With the topological loss a worker takes 559 MB for a thousand patches and 585 MB for a million: flat, but for what a process gathers over time.
#
# ## 6. Predict a million
#
# `CostLine.predict` divides the start and the costs by the cores: right where every core shares the start, as here, where it is the tasks' own; what is done once, before all others, would have to be added undivided (section 7). What such a number *assumes* is that a thousand cores work as undisturbed as two. The cell prints one condition of it: how much the disk has to give, so that no core waits. A single solid-state disk gives some hundred megabytes to some gigabytes a second, a network drive that many people share less.

# %% million
kept = run.groupby("side")["bytes_per_image"].mean()
print("a million images: minutes on 2 cores (95 % interval), on 64, on 1000; MB a second\n")
for (side, job), line in lines.items():
    two, low, high = (value / 60 for value in line.predict(10**6, 2))
    minutes = [line.predict(10**6, cores)[0] / 60 for cores in (64, 1000)]
    rates = [cores / line.cost * kept[side] / 1e6 for cores in (64, 1000)]
    print(f"{job:15} {side:3} x {side:<3} {two:6.1f} ({low:.1f} to {high:.1f})"
          f"   64: {minutes[0]:5.2f}   1000: {minutes[1]:5.3f}"
          f"   disk: {rates[0]:5.0f}, {rates[1]:6.0f}")
for row in run[run["count"] == 10**6].itertuples():
    print(f"measured: {row.job}, {row.workers} cores, {row.seconds / 60:.1f} minutes by the clock, "
          f"{row.cpu_seconds / row.workers / 60:.1f} computed")

# %% bend [markdown]
# The last lines are millions that were really done. Both took longer than the upper end of their interval: 2.1 minutes by the clock where 1.7 (1.6 to 1.9) were predicted, 4.7 where 4.4 (4.3 to 4.4) were; without what they waited, 1.9 and 4.5, though they are themselves among the points of the line. The interval is that of its *slope*, not of the next measurement; and it does not know that workers wait, nor that a long run may go slower than a short one.
#
# ## 7. What breaks the straight line
#
# - **The disk.** Once it gives all it can, further cores only wait: the rate is the smaller of cores / cost and what the disk gives / bytes an image. Compress, keep stores near the workers, do several things to a chunk once it is read.
# - **The scheduler.** It is one process, and handing out a task costs it a fraction of a thousandth of a second, whatever the task is. Tasks of a thousandth of a second each keep a handful of workers busy; tasks of a second, thousands.
# - **Stragglers.** The end is when the *last* task is done. A worker that is slow, or a chunk with more in it than others, makes all others wait. Short tasks help: who is slow simply takes fewer.
# - **What is done once**, by one process: listing files, the last average, a page with pictures. If it takes a hundredth of the work, a hundred cores make the whole no more than fifty times faster, and no number of cores a hundred times (Amdahl 1967).
#
# The length of a task is a bargain between the second and the third. By hand: tasks of 3, 3, 2, 2 and 2 minutes, two workers, whoever is free takes the next. They end at 5 and at 7; half of the sum would be 6. Graham (1969) proved how bad it can get: never later than the sum divided by the workers, plus the longest task.

# %% simulate
def ends(durations, workers, slowest=1.0):
    """When the last task is done, if whoever is free takes the next; worker 0 may be slow."""
    free = [(0.0, worker) for worker in range(workers)]
    for duration in durations:
        now, worker = heapq.heappop(free)
        heapq.heappush(free, (now + duration * (slowest if worker == 0 else 1), worker))
    return max(free)[0]


print(f"by hand 7, simulated {ends([3, 3, 2, 2, 2], 2):.0f}")
generator, images, workers = np.random.default_rng(SEED), 10**6, 64  # an image takes 1, a task 20
for size in (30, 100, 500, 2000, 10_000):
    tasks = images // size
    work = size * generator.gamma(9, 1 / 9, tasks)  # some chunks hold more than others
    for slowest in (1, 5):
        end = ends(work + 20, workers, slowest)
        useful = work.sum() / workers / end
        if slowest == 1:
            assert end <= (work + 20).sum() / workers + (work + 20).max()  # Graham's bound
        print(f"chunks of {size:5}, slowest worker {slowest} x: "
              f"{useful:4.0%} of the time is work", end="\n" if slowest == 5 else "   ")

# %% sweeps-text [markdown]
# Too short, and the tasks' own cost eats the gain; too long, and all wait for the last one, the more so if one worker is slow. In between there is a wide valley: nobody has to find its exact bottom.
#
# ## 8. Trainings and reports at scale
#
# **Trainings.** A study is a tree of tasks as well: a parent, then its control and every loss in every weight, then the test images. `python -m toposeg_lite.training sweep FILE.yml` hands them out, to processes of this machine or, by `--scheduler tcp://HOST:PORT`, to a cluster that is there; a class such as `dask_jobqueue.SLURMCluster` makes one. A task here is minutes to hours, so other things matter than above: *what is lost when a worker dies?* The scheduler notices that it is gone and gives its task to another, which goes on from the last checkpoint. Finished networks are files, and the same command, started again, makes only what is missing; `--minutes 9` ends it by itself, on a machine that is lent for so long. Since every draw depends on the seed and the number of the step alone, a network that was killed twice is the same, bit by bit, as one that was not.

# %% sweep
text = """
out: runs/example
shared: {seeds: [0, 1, 2], arms: [topological-spatial, cldice, warping]}
studies:
  - {dataset: brick}
  - {dataset: retina, pretrain_steps: 800}
grid: {width: [8, 16]}
"""
(place / "example.yml").write_text(text)
networks = 0
for study in read_sweep(place / "example.yml"):
    config = study.config()
    first = 2 + sum(len(arm.weights) for arm in config.arms)  # parent, control, every weight
    others = 2 + len(config.arms)  # the weight is chosen by the first seed
    number = first + (len(config.seeds) - 1) * others
    print(f"{study.name}: losses {len(config.arms)}, seeds {len(config.seeds)}, "
          f"networks {first} + {len(config.seeds) - 1} x {others} = {number}")
    networks += number
print(f"together {networks} networks, each a task")

# %% report-text [markdown]
# **Reports.** `python -m toposeg_lite.report PREDICTIONS TRUTHS` scores two folders of masks that anybody made, one pair a process in memory; with `--scheduler tcp://HOST:PORT` on a cluster whose workers see the same files. Every row is on the disk as soon as it is there: stop it, start it again, and it goes on. From Python it is `make_report`. The cell makes one, and then the same one again.

# %% report
likelihoods, truths = draw_patches(12, 64, seed=SEED)
for name, masks in (("predictions", likelihoods > LEVEL), ("truths", truths)):
    (place / name).mkdir()
    for k, mask in enumerate(masks):
        Image.fromarray(mask).save(place / name / f"{k:02}.png")
for attempt in ("first", "second"):
    said = []
    folders = place / "predictions", place / "truths", place / "report"
    scores = make_report(*folders, workers=1, worst=3, say=said.append)
    scored = [words for words in said if words.startswith("scored")]
    print(f"{attempt} call: {len(scores)} rows, the last word on scoring: {scored[-1:] or 'none'}")
print(f"in the report: {', '.join(sorted(f.name for f in (place / 'report').iterdir()))}")
columns = ["image", "dice", "betti_0_error", "betti_1_error", "betti_matching_error"]
scores[columns].sort_values("betti_matching_error", ascending=False).head(3).round(3)

# %% exercise-1 [markdown]
# ## Exercises
#
# Each exercise has a stub to fill in, a checker that names what may have gone wrong, a hint, and a solution in [the solved notebook](./12_scale_up.ipynb).
#
# ### 12.1 Two workers, with a pencil
#
# Six tasks wait in this order: 2, 3, 1, 4, 1 and 5 minutes. Two workers start together, and whoever is free takes the next one. After how many minutes is the last task done? And after how many, if they wait in the order 5, 4, 3, 2, 1, 1?
#
# <details><summary>Hint</summary>
#
# Draw two bars, one for each worker, and lay the tasks into them one after the other, always at the end of the shorter bar.
#
# </details>

# %% exercise-1-stub
ends_after = None  # two numbers: as they come, and the longest first

exercises.check("12.1", ends_after)

# %% exercise-1-solution tags=["solution"]
# As they come: 2 and 3, then 1 (from 2 to 3), 4 (3 to 7), 1 (3 to 4) and 5 (4 to 9).
# Longest first: 5 + 2 + 1 and 4 + 3 + 1. The sum is 16, so nothing can be earlier than 8.
exercises.check("12.1", (9, 8))

# %% exercise-2 [markdown]
# ### 12.2 A million, with a pencil
#
# On one core 1000 images took 7 s, and 10,000 took 52 s. How many seconds do a million take on 50 cores, if start and cost are spread evenly over them, as `fit_cost` assumes?
#
# <details><summary>Hint</summary>
#
# Take the difference first: it has no start in it.
#
# </details>

# %% exercise-2-stub
seconds_of_a_million = None  # a number

exercises.check("12.2", seconds_of_a_million)

# %% exercise-2-solution tags=["solution"]
# 45 s for 9000 images are 5 ms an image; 7 - 5 = 2 s are the start; (2 + 5000) / 50 = 100.04 s.
exercises.check("12.2", 100.04)


# %% exercise-3 [markdown]
# ### 12.3 Change the method: fit the cost, predict a million
#
# Write the whole way as one function. Given are lists: `counts` of images, `seconds` by the clock, and by how many `workers` each of them was done. Fit *seconds of one core = start + cost x images* by least squares of the relative errors, and return how many seconds a million images take on `cores` cores. Use numpy, not `fit_cost`.
#
# <details><summary>Hint</summary>
#
# With $t$ seconds of one core for $n$ images, the relative error is $(\mathrm{start} + \mathrm{cost} \cdot n) / t - 1$. So each measurement is a linear equation with the right side 1, and `np.linalg.lstsq` takes all of them. How many seconds of one core are 10 seconds of two workers?
#
# </details>

# %% exercise-3-stub
def predict_million(counts, seconds, workers, cores):
    """Return how many seconds a million images take."""
    return None


exercises.check("12.3", predict_million)


# %% exercise-3-solution tags=["solution"]
def predict_million_solution(counts, seconds, workers, cores):
    """One equation for each measurement: start / t + cost * n / t = 1."""
    time = np.multiply(seconds, workers)
    equations = np.stack([1 / time, np.array(counts) / time], axis=1)
    (start, cost), *_ = np.linalg.lstsq(equations, np.ones(len(time)), rcond=None)
    return (start + cost * 10**6) / cores


exercises.check("12.3", predict_million_solution)

# %% quiz-text [markdown]
# ## Ten questions
#
# Answer first, then unfold: behind every answer stands why it is right, or what it mixes up.

# %% quiz
exercises.quiz("12")

# %% practice [markdown]
# ## In practice
#
# - **Measure with your own images.** Cost follows features: a likelihood full of ripples holds many times as many pairs as a clean one of the same size. A thousand crops of your own tell more than a million of somebody else's.
# - **Begin small, on what you will use.** One chunk by hand in a notebook, then one worker, then all of one machine, then two machines. Most of what goes wrong on a cluster goes wrong with one worker as well, and is easier to see there.
# - **Limits.** The line predicts from the same kind of images, the same machine, the same code. Times of a processor differ between processors, and between one that is alone and one that shares its memory with 63 busy neighbours: on a large machine measure with all of its cores at work.
# - **When it fails.** Workers that are killed for memory hold more than a chunk: look for results that are images, and for lists that grow. Workers with a small share of their cores wait: for the disk, or for somebody else. A dashboard that shows white gaps between short tasks says: make them longer.
# - **What critics say.** McSherry, Isard and Murray (2015) compared published clusters of a hundred cores with a simple program on one core, and often the one core was faster. So fit the line for *one* core first, and ask whether a quicker kernel, smaller crops, or a sample of ten thousand images would answer the question as well. A mean over a million images is no truer than its labels.
#
# ## Summary
#
# You fitted a line by hand (1), in naive code, with the library and with scipy (2), put images into one store and cut the work into tasks (3), measured here with one worker and two (4), read the reference run (5), predicted a million images and what the disk must give for it (6), saw what bends the line, and how long a task should be (7), and know how sweeps and reports use the same few ideas (8).
#
# ## Further reading
#
# - G. M. Amdahl, "Validity of the single processor approach to achieving large scale computing capabilities" (1967), [doi:10.1145/1465482.1465560](https://doi.org/10.1145/1465482.1465560): what is done once sets the limit.
# - R. L. Graham, "Bounds on multiprocessing timing anomalies" (1969), [doi:10.1137/0117039](https://doi.org/10.1137/0117039): the bound of section 7, and why more workers can even be slower.
# - M. Rocklin, "Dask: parallel computation with blocked algorithms and task scheduling" (2015), [doi:10.25080/Majora-7b98e3ed-013](https://doi.org/10.25080/Majora-7b98e3ed-013): the scheduler that is used here.
# - J. Dean and L. A. Barroso, "The tail at scale" (2013), [doi:10.1145/2408776.2408794](https://doi.org/10.1145/2408776.2408794): stragglers, and what one does about them.
# - F. McSherry, M. Isard and D. G. Murray, "Scalability! But at what COST?", [HotOS 2015](https://www.usenix.org/conference/hotos15/workshop-program/presentation/mcsherry): how many cores it takes to beat one.
#
# ## Next
#
# [Chapter 13](13_go_to_three_dimensions.ipynb) goes to volumes, where an image alone can be large. Before you go on, **shut this kernel down** (menu *Kernel*, *Shut Down Kernel*): it holds memory that the next chapter can use.
