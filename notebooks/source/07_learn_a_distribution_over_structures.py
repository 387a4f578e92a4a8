# %% title [markdown]
# # Learn a distribution over structures
#
# **At the end** you can say of any branch of this retina how likely it is to be a vessel, sample a hundred whole networks of vessels instead of one, and check whether the probabilities are honest.
#
# ![Left: vessels of a retina with one sampled mask in yellow. Middle: the branches, coloured by how unsure the model is of each. Right: how unsure the network is of each pixel: only the rims of the vessels.](../images/07.png)
#
# **Time:** 35 minutes to read, 60 with exercises.
#
# **You need** [chapter 05](05_read_ridges_with_discrete_morse_theory.ipynb): branches, passes, persistence, and why no threshold of persistence cuts a false bridge. From PyTorch only what a gradient is.
#
# **You will be able to**
#
# - say why one mask, and one probability for each pixel, are not enough;
# - compute with a pencil how likely a branch is kept, and what the three parts of the loss are;
# - show why the published code learns no threshold, and what no threshold can do;
# - sample networks of vessels, and read a map of uncertainty by branch;
# - plot a reliability diagram, compute its error, and judge a model by it.

# %% parameters tags=["parameters"]
SEED = 0  # of all samples
SAMPLES = 20  # networks of vessels, of the photograph
BINS = 10  # of the reliability diagrams

# %% setup
import gudhi
import numpy as np
import torch
from scipy.special import expit
from torch.nn import functional as F

from toposeg_lite import exercises, explorers, figures
from toposeg_lite.data import photos
from toposeg_lite.structures import (
    StructureModel, expected_calibration_error, find_branches, load_pretrained, perturb_and_walk,
    reliability_diagram,
)
from toposeg_lite.topology import morse_complex
torch.set_num_threads(1)  # so that the number of cores changes no digit
print(f"torch: version {torch.__version__}, gudhi: version {gudhi.__version__}")

# %% predict [markdown]
# ## Predict first
#
# A network is unsure of a gap in a vessel: it gives a likelihood of .5 to each of ten pixels in a row. In truth the vessel goes on in one of two such cases.
#
# 1. Somebody wants to see what is possible, and samples masks: for each pixel a coin is tossed, heads with its likelihood. In how many of the masks is the gap closed?
# 2. Elsewhere a faint vessel rises .3 above its surroundings, and a false bridge between two strong vessels .6. All branches that rise more than a threshold are kept. Which threshold judges both rightly?
#
# <details><summary>Answer</summary>
#
# 1. In one of $2^{10} = 1024$, though it should be every second. Pixels of one branch are real or false *together*, so what is sampled must be branches. 2. None. That is the limit of the first of the two models of this chapter, and the reason for the second.
#
# </details>

# %% by-hand [markdown]
# ## 1. By hand: branches that are kept by chance
#
# One mask says what is; it does not say where it may well be otherwise. This image has two vessels, a bridge between them, and a speck below. The truth holds the two vessels only. To have fewer neighbours to look at, pixels are neighbours here if they share a side.

# %% image
IMAGE = np.array(
    [
        [0.8, 0.9, 0.8, 0.8, 0.8],
        [0.0, 0.0, 0.0, 0.4, 0.0],
        [0.6, 0.7, 0.6, 0.6, 0.6],
        [0.2, 0.0, 0.0, 0.0, 0.0],
        [0.3, 0.2, 0.1, 0.0, 0.0],
    ]
)
TRUTH = IMAGE >= 0.6
found = find_branches(IMAGE, connectivity=1)
ax = figures.pixel_values(IMAGE, mask=TRUTH, title="likelihood; yellow: truth")
figures.show(ax, "The 5x5 image: two vessels in rows 0 and 2, in yellow, a bridge .4, a speck .3.")
data = found.persistence, found.fraction_on(TRUTH), found.length
names = ["bridge", "upper vessel", "lower vessel", "speck"]
for name, path, size, part in zip(names, found.paths, *data[:2], strict=True):
    values = " ".join(f"{v:.1f}" for v in IMAGE.ravel()[path])
    print(f"{name:12} persistence {size:.1f}, true {part:.2f}: {values}")


# %% by-hand-meaning [markdown]
# The skeleton of chapter 05 is cut into pieces here, so that each can be decided on its own: every pixel of it belongs to the branch with the highest pass through it, and a *ridge* beyond a bridge (here both vessels) is a piece of its own. Its **persistence** is the threshold up to which the skeleton holds more than half of the piece, or a ridge's peak. "True" is the part of a piece's own pixels that lies on the truth.
#
# Hu et al. (2023) sample one threshold for the whole image, and keep what is more persistent. In our version
#
# $$u \sim \mathcal N(m, s^2), \qquad t = \sigma(u) \in (0, 1), \qquad q_k = \sigma\Big(\frac{p_k - t}{T}\Big),$$
#
# with $p_k$ the persistence of branch $k$, the sigmoid $\sigma(x) = 1 / (1 + e^{-x})$ and a temperature $T$: branch $k$ is **kept with probability** $q_k$. Take your pencil: $t = .2$, $T = .1$. The bridge has $(.3 - .2) / .1 = 1$, so $q = \sigma(1) = .73$; the lower vessel has the same persistence (its peak dies at the pass of the bridge), so the same; the upper vessel $\sigma(7) = .999$; the speck $\sigma(-1) = .27$.
#
# The **loss** has three parts. The *segmentation* loss of the network; you know it. The **reconstruction** asks whether those branches are kept that are real: with $y_k$ the true part and $\ell_k$ the length of branch $k$,
#
# $$R = -\sum_k \frac{\ell_k}{\sum_j \ell_j} \big( y_k \log q_k + (1 - y_k) \log(1 - q_k) \big).$$
#
# And a third part: $m$ and $s$ come from a small network. In training, the **posterior** sees the image and the truth; in use there is no truth, so a **prior** that sees the image alone must do as well. The Kullback-Leibler divergence keeps them together:
#
# $$\mathrm{KL} = \log\frac{s_0}{s} + \frac{s^2 + (m - m_0)^2}{2 s_0^2} - \frac12, \qquad (m, s) \text{ of the posterior}, (m_0, s_0) \text{ of the prior}.$$
#
# In all the loss is segmentation $+\,R + .03\,\mathrm{KL}$. (Prior and posterior could agree at no cost by shrinking together; a weak pull of $s_0$ towards 1, of weight .01, keeps them from it.)

# %% naive-text [markdown]
# ## 2. The same in ten lines, and three tools agree
#
# Persistence comes from GUDHI, which knows nothing of branches: the value at the birth of a component minus that at its death. (It works with sublevel sets, so it gets the negated image; with 4 neighbours, pixels are its *vertices*.)

# %% naive
def gudhi_persistence(image):
    """List the persistence of all components, the one that never dies included."""
    pairs = gudhi.CubicalComplex(vertices=-image).persistence(min_persistence=0.02)
    lives = [pair for dimension, pair in pairs if dimension == 0]
    return sorted(-birth - max(-death, 0.0) for birth, death in lives)


def reconstruction(persistence, truth, length, threshold, temperature):
    q = expit((persistence - threshold) / temperature)
    costs = -(truth * np.log(q) + (1 - truth) * np.log(1 - q))
    return (length / length.sum() * costs).sum()


def kl(m, s, m0, s0):
    return np.log(s0 / s) + (s**2 + (m - m0) ** 2) / (2 * s0**2) - 0.5


# %% agree
network = torch.nn.Identity()  # its "image" is the logits themselves: no network to distract us
model = StructureModel(network, mode="threshold", connectivity=1, seed=SEED)
model.posterior_encoder.head.bias.data += torch.tensor([0.5, -0.3])  # as if it had learned
logits, truth = torch.tensor(IMAGE).logit(eps=1e-6)[None, None].float(), torch.tensor(TRUTH)[None]
parts = model.loss(logits, truth, seed=SEED)
prior, posterior = model.prior(logits), model.posterior(logits, truth)
(m, s), (m0, s0) = ([float(value.detach()) for value in one] for one in (posterior, prior))
t = expit(m + s * np.random.default_rng(SEED).standard_normal())  # the threshold that was sampled
naive = reconstruction(*data, t, 0.2)
normal = torch.distributions.Normal
judge = torch.distributions.kl_divergence(normal(*posterior), normal(*prior))
ours = sorted(set(found.persistence.round(2).tolist()))
theirs = np.round(gudhi_persistence(IMAGE), 2).tolist()
print("persistence: library", ours, "GUDHI", theirs)
print(f"reconstruction: naive {naive:.4f}, library {parts.reconstruction.item():.4f}")
print(f"KL: naive {kl(m, s, m0, s0):.4f}, library {parts.kl.item():.4f}, torch {judge.item():.4f}")


# %% agree-meaning [markdown]
# Bridge and lower vessel share the persistence .3 (one pair), so three numbers belong to four branches. The reconstruction uses one sample of the threshold, $u = m + s \cdot x$ with a normal $x$: written like this, the loss has a derivative with respect to $m$ and $s$ (the *reparametrisation trick*). And a persistence is the difference of two pixels, so the network gets a gradient, too, as in chapter 03.

# %% published-text [markdown]
# ## 3. What the published code learns
#
# The paper's idea is the one above. The [code](https://github.com/HuXiaoling/Structural_Uncertainty) published with it (file `probabilistic_unet.py`) computes its reconstruction in another way: the skeleton above the sampled threshold becomes a mask, and the cross-entropy of the *pixels* is multiplied by it. In short:

# %% published
def published(likelihood, threshold, truth):
    """The pixels' cross-entropy on the structures above a threshold, as in the paper's code."""
    complex_ = morse_complex(likelihood.detach().numpy(), connectivity=1)
    mask = torch.from_numpy(complex_.skeleton(threshold.item()).mask)  # a constant
    return (F.binary_cross_entropy(likelihood, truth, reduction="none") * mask).mean()


target, threshold = torch.tensor(TRUTH).double(), torch.tensor(0.2, requires_grad=True)
pixels = torch.tensor(IMAGE, requires_grad=True)
published(pixels, threshold, target).backward()
print(f"published: gradient at {pixels.grad.count_nonzero()} pixels, by threshold {threshold.grad}")
cost, head = model.loss(logits, truth, seed=SEED).reconstruction, model.posterior_encoder.head
print("library: by mean and deviation", torch.autograd.grad(cost, head.bias)[0].numpy().round(3))
for t in (0.05, 0.2, 0.35, 0.8):
    costs = published(pixels, torch.tensor(t), target).item(), reconstruction(*data, t, 0.1)
    print(f"threshold {t:.2f}: published {costs[0]:.3f}, library {costs[1]:.3f}")


# %% published-meaning [markdown]
# Three faults, and what is different here:
#
# - **The threshold learns nothing.** The mask is made with NumPy, so for the derivative it is a constant, and the threshold gets no gradient from the data (`None`). Prior and posterior are moved by the KL alone, that is, towards each other. The pixels do get a gradient.
# - **Dropping is free.** What is not in the mask costs nothing: in the last lines the published cost falls as the threshold rises, to almost nothing where all is dropped. If a gradient did reach it, it would only ever push the threshold up. Our cost counts a real branch that is dropped as well as a false one that is kept, so it has its least in between.
# - **A false bridge stays.** Here bridge and lower vessel share the persistence .3: a threshold takes both or neither, as chapter 05 found. So it is with our mode "threshold"; but pieces of our kind can be decided one by one, and section 4 does.
#
# Besides, its `sample` returns nothing (`None`) if twenty sampled thresholds in a row miss $(0, 1)$; ours come out of a sigmoid. To be fair: the segmentation loss beside it trains the network all the same, thresholds that are sampled from a prior of some width do give varied and plausible structures, and the results of the paper may have been made with other code.

# %% limit-text [markdown]
# ## 4. What no threshold can do, and a head for each branch
#
# Now let it learn. The images of this section are synthetic: long wavy lines are real, short straight ones are false, and *both are equally strong*, between .25 and .95. There is no network to train. Instead of a learned threshold we take the best one that there is, found by search on the very images on which it is judged; nothing that is learned can do better.
#
# In the mode `"branch"`, in the spirit of Gupta et al. (2023), every branch has **features**: persistence, value of the pass, mean and least likelihood, length, width, curvature, contrast of the image along it, its kind, and on request what a layer of the network holds there. A **head**, a small network, reads them and gives the log-odds $z_k$ of the branch as a normal distribution:
#
# $$z_k \sim \mathcal N(m_k, s_k^2), \qquad q_k = \mathrm E\,\sigma(z_k), \qquad L = R + \lambda\,\frac1n \sum_k \mathrm{KL}\big(\mathcal N(m_k, s_k^2)\,\big\|\,\mathcal N(0, 2^2)\big), \qquad \lambda = .01.$$
#
# $R$ is the reconstruction of section 1 with $\sigma(z_k)$ of one sample $z_k$ in the place of $q_k$; there is no encoder, and the prior is the same for all branches. (The segmentation loss is added where a network is trained along.) The expectation is computed by quadrature, so nothing is sampled for it. Each branch is judged by itself, while Gupta et al. let the branches of an image decide together.

# %% scenes
def scene(seed, shape=(80, 96)):
    """Return an image of three long wavy lines and eight short ones; the long ones are real."""
    rng, down, across = np.random.default_rng(seed), *np.indices(shape)
    image, truth = np.full(shape, 0.02), np.zeros(shape, bool)
    for row in (14, 40, 66):
        line = abs(down - row - 4 * np.sin(across / rng.uniform(7, 12) + rng.uniform(0, 6))) < 1
        image[line], truth[line] = rng.uniform(0.25, 0.95), True
    for row, column in zip(rng.integers(4, 76, 8), rng.integers(4, 84, 8), strict=True):
        image[row, column : column + 8] = rng.uniform(0.25, 0.95)
    return torch.tensor(image - 0.01 * rng.random(shape)).logit()[None].float(), torch.tensor(truth)


train, test = ([scene(seed) for seed in seeds] for seeds in (range(16), range(100, 116)))
images, truths = (torch.stack(parts) for parts in zip(*train, strict=True))

# %% limit
each = StructureModel(torch.nn.Identity(), mode="branch", seed=SEED)
seen = each.distribution(images)
fractions = [a.branches.fraction_on(truth.numpy()) for a, truth in zip(seen, truths, strict=True)]
each.learn(seen, fractions, seed=SEED)

batch, masks = (torch.stack(parts) for parts in zip(*test, strict=True))
known = each.uncertainty(batch)
real = [one.branches.fraction_on(m.numpy()) >= 0.5 for one, m in zip(known, masks, strict=True)]
real, size = np.concatenate(real), np.concatenate([one.branches.persistence for one in known])
levels = np.linspace(0, 1, 101)
best = max(levels, key=lambda t: ((size > t) == real).mean())
print(f"{len(real)} branches, {real.sum()} of them real; the best threshold of all: {best:.2f}")
chance = np.concatenate([one.probability for one in known])
for name, kept in (("all", size > 0), ("threshold", size > best), ("head", chance >= 0.5)):
    right, share = (kept == real).mean(), kept[real].mean()
    print(f"{name:9} judged rightly {right:.2f}, real found {share:.2f}")

# %% limit-meaning [markdown]
# The best threshold is right in seven of ten, and how? It drops nearly everything, the real lines too. There are two reasons. Real and false lines are equally strong; and every bridge over the dark between two of them is as persistent as what lies behind it. The head needs one glance at the length and at the pass. (These scenes are made to be told apart by features; real vessels are not so kind, see section 7.)
#
# A deviation $s_k$ comes with each branch, and it is easily taken for what it is not: it does **not** say how many such branches the head has seen. Both parts of $L$ are means over branches, so their number cancels. Take branches that look alike, of which the part $p$ is real. As long as $s$ is small, it adds $p (1 - p) s^2 / 2$ to $R$ and $-\lambda \log s$ to the rest, and the sum is least at
#
# $$s^2 = \frac{\lambda}{p (1 - p)}.$$
#
# That is the variance of a posterior that has seen $1 / \lambda = 100$ such branches, be they ten or ten thousand in truth. The variance of the probability is about $\lambda p (1 - p)$, so it tells nothing that $p$ does not. This chapter therefore measures doubt by the entropy of $q_k$ alone. What is $s$ good for? It keeps the head from boldness. (If all $n$ branches were alike, $\lambda = 1 / n$ would make the spread that of a true posterior, which shrinks like $1 / \sqrt n$; the option is `kl_weight`. For branches of many kinds, counting evidence takes more, such as several heads trained on different samples of the data.)

# %% photo-text [markdown]
# ## 5. Twenty networks of vessels instead of one
#
# Now a real photograph (retina by Mikael Häggström, CC0). `load_pretrained` brings a small U-Net with both modes around it, which this project trained on other photographs: the retinas of 8 children in CHASE_DB1, taken with another camera. It first evens out colour and light (`EvenLight`), so both look alike to it.
#
# The picture shows one sample of the vessels, on the left; how unsure the model is of each branch, in the middle; and for comparison how unsure the network is of each pixel, on the right. Entropy is 1 bit where the answer is a toss of a coin, and 0 where it is certain.
#
# How do branches that were kept become a mask, in which vessels have their width? Around each pixel of a path that lies in the network's mask is the largest disc that fits into it. A pixel of the mask belongs to the branch in whose disc it lies *deepest*, and goes if that branch is dropped. A kept branch is drawn from end to end, three pixels wide where it lies outside the mask. (The plainer rule, each pixel with its *nearest* path, leaves crumbs where a branch goes; chapter 08 has the numbers, and the same rule for people.)
#
# With a running kernel the picture is live. Press *Play the samples*, or move **Sample**, and watch what flickers: the branches that the model doubts. **Point at a branch** in the first or second picture, or click it: the text says what it is worth, how likely it is, and in how many samples it was kept. By keyboard, *Marked branch* steps through them, the most uncertain first. **Temperature** divides the log-odds: above 1 less sure, below 1 bolder. **Model** changes between a head for each branch and one threshold for all. *Your own image* takes a fundus photograph from your disk (its middle).
#
# Find: the branch that the model doubts most. Is it a vessel? A place where pixels are unsure and branches are not. What becomes of faint vessels in the mode "threshold", and what becomes of bridges?

# %% explorer tags=["end-product"]
photo, here = photos.retina(), np.s_[380:636, 700:956]
models = {mode: load_pretrained(mode) for mode in ("branch", "threshold")}
options = {"n": SAMPLES, "selected": 2, "seed": SEED}
explorer = explorers.StructureExplorer(models, photo.image[:, *here], **options)
kept = explorer.samples.kept.mean(0)
print("the five most uncertain branches: probability, and share of the samples that keep it")
for k in explorer.order[:5]:
    print(f"  {explorer.uncertainty.probability[k]:.2f}  {kept[k]:.2f}")
second, whole = explorer.order[1], torch.from_numpy(photo.image[:, *here])[None]
chance = models["threshold"].uncertainty(whole)[0].probability[second]
print(f"the second of them in the mode 'threshold': {chance:.2f}")
explorers.show(explorer)


# %% photo-meaning [markdown]
# The map of the pixels shows the outlines of *all* vessels: where exactly does the rim run? That is true and of little use; nobody wants to be asked about rims. The map of the branches asks about a few dozen things that a person can answer at a glance: is this a vessel?
#
# The marked branch, second in doubt, is a gap of six pixels in a faint vessel near the lower border. The head gives it .42. The mode "threshold" sees its persistence and no more, and gives .31 to this branch as to any other with a persistence of .55, whatever it looks like. (It is real.)

# %% walk-text [markdown]
# ## 6. Perturb and walk: where exactly does it run?
#
# To keep or to drop is one question; where a kept branch runs is another. Gupta et al. redraw it: a walker goes from the pass to each end of the branch, and always steps to the neighbour with the highest
#
# $$\frac{\gamma}{\text{distance to the end}} + (1 - \gamma)\,(f + \varepsilon), \qquad \varepsilon \sim \mathcal N(0, \sigma^2).$$
#
# With $\gamma = 1$ it walks straight, with $\gamma = 0$ it follows the ridge of the noisy likelihood. It never steps on a pixel twice; if it is stuck or lost, the branch keeps its own path.

# %% walk
def naive_walk(image, arm, seen, gamma=0.2):
    """Walk from the first to the last pixel of an arm, without noise; the arm itself if lost."""
    p, end, path, side = arm[0], arm[-1], [], range(256)
    score = lambda q: gamma / max(np.hypot(*np.subtract(q, end)), 1e-9) + (1 - gamma) * image[q]
    while p != end and len(path) < 4 * (len(arm) - 1) + 8:
        near = [(p[0] + i, p[1] + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        near = [q for q in near if q[0] in side and q[1] in side and (q == end or q not in seen)]
        if not near:
            break
        p = max(near, key=score)
        seen.add(p)
        path.append(p)
    return path if p == end else arm[1:]


# %% walk-agree
branches = explorer.distribution.branches
same, image64 = 0, branches.likelihood.astype(float)
for k, library in enumerate(perturb_and_walk(branches, SEED, sigma=0)):
    way = [divmod(p, 256) for p in branches.paths[k].tolist()]
    low = branches.start[k] - branches.offsets[k]
    seen = {way[low]}
    down, up = (naive_walk(image64, arm, seen) for arm in (way[low::-1], way[low:]))
    same += [*down[::-1], way[low], *up] == [divmod(p, 256) for p in library.tolist()]
print(f"{same} of {len(branches)} walks without noise are equal")
walks = [[], []]
for seed in range(8):
    walks[0] += perturb_and_walk(branches, seed, sigma=0.01)
    walks[1] += perturb_and_walk(branches, seed, sigma=0.1)
names = ["sigma .01", "sigma .1"]
ax = figures.image_with_walks(image64, walks[::-1], names[::-1], title="eight walks each")
ax.set(xlim=(60, 160), ylim=(160, 60))
figures.show(ax, "Part of the likelihood with eight walks along each branch: with little noise one "
             "line, with more the whole vessel. A walker that is lost keeps to the branch's path.")


# %% honest-text [markdown]
# ## 7. Is it honest?
#
# Of all branches that were given 70 %, seven in ten should be real. So sort the branches into bins by their probability, and compare in each the mean probability with the share of real ones: the **reliability diagram**. The mean gap, weighted by how many a bin holds, is the **expected calibration error** (ECE). The dissertation's quick check of its uncertainty is this *calibration curve*.

# %% honesty
def naive_error(probability, real, bins):
    """Return the mean gap between probability and frequency, over bins of equal width."""
    which, total = np.minimum((probability * bins).astype(int), bins - 1), 0.0
    for k in np.unique(which):
        some = which == k
        total += some.sum() * abs(probability[some].mean() - real[some].mean())
    return total / len(real)


region = np.s_[640:1152, 200:1224]  # a larger part of the photograph
batch = torch.from_numpy(photo.image[:, *region])[None]
beliefs = {mode: model.distribution(batch)[0] for mode, model in models.items()}
pieces = beliefs["branch"].branches
real = pieces.fraction_on(photo.mask[region]) >= 0.5

# %% reliability
chances = {mode: belief.uncertainty().probability for mode, belief in beliefs.items()}
values = pieces.likelihood.ravel()[pieces.own_pixels].astype(float)
chances["pixels"] = np.add.reduceat(values, np.cumsum(pieces.sizes) - pieces.sizes) / pieces.sizes
diagrams = {}
for name, chance in chances.items():
    diagrams[name] = reliability_diagram(chance, real, bins=BINS)
    gaps = np.histogram(chance, BINS, (0, 1), weights=chance - real)[0]  # of all bins at once
    by_numpy = np.abs(gaps).sum() / len(real)
    error = expected_calibration_error(chance, real, bins=BINS)
    right = ((chance >= 0.5) == real).mean()
    print(f"{name:9} library {error:.3f}, naive {naive_error(chance, real, BINS):.3f}, NumPy",
          f"{by_numpy:.3f}; judged rightly {right:.2f}")
error = expected_calibration_error(pieces.likelihood, photo.mask[region], bins=BINS)
print(f"all pixels {error:.3f}")
print("real, in each bin:", {name: d.frequency.round(2).tolist() for name, d in diagrams.items()})
ax = figures.reliability_plot(diagrams, title=f"{len(real)} branches, {real.sum()} real")
text = "Reliability of the branches of a larger part of the photograph: one head for each branch, "
figures.show(ax, text + "one threshold for all, and the mean likelihood of the branch's pixels.")

# %% study-text [markdown]
# On the photograph the head is shy: of what it gives 45 %, four in five are real. It learned from the masks of another observer, of another camera's pictures, who left out many a faint vessel that our reference has; no temperature mends that. The mean likelihood of the pixels is a little bold (of what it gives 75 %, not quite six in ten are real) and comes off better here. And the one threshold for all judges six in ten rightly, where a coin would judge five: section 4 on a real image.
#
# Mind the last line: over *all* pixels, the same likelihood looks more honest than over branches. Nine in ten pixels are easy background, which hides the rest. An error of calibration means nothing without saying *of what*.
#
# The references here are silver, and it is one eye. Whether the head is honest where it was meant to be is the next question.
#
# ## 8. The study at full size
#
# So here is the comparison with masks by an expert: on the test images of CHASE_DB1, four persons that no network has seen, for three seeds. A U-Net and, for each seed, a second one with dropout (Gal and Ghahramani 2016), whose likelihood is the mean of several passes; then, on the branches of the first, the four methods. "Scaled" means that a temperature was fitted on the validation images. Read from the stored run of `python -m toposeg_lite.training.calibration` (its options are in the docstring of `toposeg_lite.workbook.studies.calibration`); all numbers in percent.

# %% study
from toposeg_lite.workbook.studies.calibration import read_calibration

table, pooled = read_calibration()
columns = ["error", "error_by_length", "accuracy"]
means = table.groupby(["method", "scaled"], sort=False)[columns].agg(["mean", "std"])
display((100 * means).round(1))
one = table[~table["scaled"]].pivot(index="method", columns="seed", values="error_by_length")
display((100 * one).round(1), table.groupby("seed")["branches"].first())
shown = {name: pooled[name] for name in ("branch", "pixels", "dropout", "threshold")}
ax = figures.reliability_plot(shown, title="test images of CHASE_DB1")
text = "Reliability of branches on the test images, of four methods, mean over the seeds."
figures.show(ax, text)

# %% study-meaning [markdown]
# (The legend of the picture tells the error of the *mean* diagram, 5.3 % for the head; the table the mean of the *errors* of the three, 5.5 %. The first is never larger: gaps of opposite sign cancel in a mean.)
#
# The head's error is 5.5 % (mean of three seeds; 3.9 % after scaling), where the mean likelihood of the pixels has 21 % and dropout as much (19 and 16 % after scaling). Gupta et al. report 4.2 % for theirs and 8.1 % for that of Hu et al. on another data set, with other networks, so these numbers cannot be compared with ours; the order is the same.
#
# Look at more than one number. If branches count by their length, specks weigh little, and pixels and dropout look better (10 and 9 %): of a long branch the likelihood is right more often. The head has 5 %, and 3 % after scaling, much the same in each seed. Scaling, which counts each branch once, makes pixels and dropout *worse* by length: one temperature cannot mend a curve that is wrong in two ways. And the threshold shows what an error hides: after scaling it has 8 %, half of what dropout has, and judges six in ten branches rightly. It says nearly the same of all of them, and is right about that.
#
# One more thing decides whether a head is honest: on which images it learns. A network has seen its training images, so there its branches look better than they ever will again. The heads of this study learned from the branches of two other networks, each on the half of the images that it had not seen (`cross_train`).

# %% exercise-1 [markdown]
# ## Exercises
#
# Each exercise has a stub to fill in, a checker that names what may have gone wrong, a hint, and a solution in [the solved notebook](./07_learn_a_distribution_over_structures.ipynb).
#
# ### 07.1 and 07.2 With a pencil
#
# **07.1** Four branches have the persistences .9, .5, .4 and .2. The threshold is .4, the temperature .1. With which probabilities are they kept? A list of four numbers, to two digits.
#
# **07.2** A model gives .9 to four branches; three of them are real: it is too bold. Calibration divides its log-odds $\log\frac{p}{1 - p}$ by a temperature, the same for all. Which one makes it honest?
#
# <details><summary>Hint</summary>
#
# For 07.1: $\sigma(1) = .73$, $\sigma(5) = .99$, and $\sigma(-x) = 1 - \sigma(x)$.
#
# </details>
#
# <details><summary>Hint</summary>
#
# For 07.2: the odds of .9 are 9 to 1. What are those of three in four?
#
# </details>

# %% exercise-1-stub
kept_chances = None  # for instance [0.5, 0.4, 0.3, 0.2]
temperature = None  # a number

display(exercises.check("07.1", kept_chances))
exercises.check("07.2", temperature)

# %% exercise-1-solution tags=["solution"]
# (.9 - .4) / .1 = 5, (.5 - .4) / .1 = 1, 0, and (.2 - .4) / .1 = -2.
kept_chances_solution = [0.99, 0.73, 0.5, 0.12]
# log 9 = 2 log 3: the log-odds of .9 are twice those of .75.
temperature_solution = 2

display(exercises.check("07.1", kept_chances_solution))
exercises.check("07.2", temperature_solution)


# %% exercise-3 [markdown]
# ### 07.3 Change the method: a threshold that sees the pass
#
# The false bridges of section 4 are persistent, but their passes lie deep: chapter 05 cut them by a second number, the saddle level. Give the mode "threshold" such a level. Write the probability that a branch is kept if it must do two things, each by chance and independently: its *persistence* must exceed the threshold, and the value of its pass, *saddle*, the level; with the same temperature for both.
#
# <details><summary>Hint</summary>
#
# Each of the two has the probability of section 1. How likely are two independent events together?
#
# </details>

# %% exercise-3-stub
def keep_with_level(persistence, saddle, threshold, level, temperature):
    """Return the probability that a branch is kept."""
    return None


exercises.check("07.3", keep_with_level)


# %% exercise-3-solution tags=["solution"]
def keep_with_level_solution(persistence, saddle, threshold, level, temperature):
    """Both must hold: a product."""
    strong = expit((persistence - threshold) / temperature)
    return strong * expit((saddle - level) / temperature)


exercises.check("07.3", keep_with_level_solution)

# %% exercise-3-played [markdown] tags=["solution"]
# How much does the second number help on the photograph? Both rules may choose their numbers on the very branches on which they are judged, which flatters them; the head had to learn on other photographs.

# %% exercise-3-play tags=["solution"]
saddle_solution = pieces.likelihood.ravel()[pieces.saddle].astype(float)
grid_solution = np.linspace(0.01, 0.99, 50)


def best_solution(levels):
    """Return the best share of branches judged rightly, over thresholds and these levels."""
    rule = keep_with_level_solution
    return max(
        ((rule(pieces.persistence, saddle_solution, t, v, 0.05) >= 0.5) == real).mean()
        for t in grid_solution
        for v in levels
    )


alone_solution, both_solution = best_solution([-9]), best_solution(grid_solution)
print(f"threshold alone {alone_solution:.3f}, with a level {both_solution:.3f},")
print(f"the branch head {((chances['branch'] >= 0.5) == real).mean():.3f} of {len(real)} branches")

# %% quiz-text [markdown]
# ## Ten questions
#
# Answer first, then unfold: behind every answer stands why it is right, or what it mixes up.

# %% quiz
exercises.quiz("07")

# %% practice [markdown]
# ## In practice
#
# - **Cost.** Branches, features and the head take a fraction of the time of the network on a processor; a hundred samples of a 256x256 image take less than a tenth of a second. Train the network first, as always; the head learns in seconds from the branches of the training images, since it never needs the network again.
# - **Calibrate on images that nothing was trained on.** The network has seen the training images, so its likelihood is better there than it will ever be again, and a head that learns from them is too bold. `cross_train` has the head learn from networks that have not seen them; `StructureModel.calibrate` finds one temperature on the validation images. It cannot mend what differs between cameras or hospitals: check honesty again where you use it.
# - **When it fails.** What the network gives no likelihood at all is no branch, and no sample can show it. A branch that is real in one half and false in the other is kept or dropped as a whole. Branches are drawn independently of each other, given the model: that two arteries will not cross, it does not know. And an error of calibration of zero is cheap: who gives to each branch the overall share of real ones is honest and useless. So look at accuracy as well.
# - **What critics say.** The expected calibration error depends on the number of bins, and bins that hold little are noisy (Nixon et al. 2019): name them, and compare methods on the same branches. Whether several samples serve a person better than one mask with a few questions is open; the next chapter asks the questions.
# - **Medicine.** The model of this chapter saw eight people. It is here to learn from, not to diagnose.
#
# ## Summary
#
# You saw why pixels sampled one by one make no structures (prediction), kept branches by chance with a pencil and computed all three parts of the loss (1, 2), showed why the published threshold learns nothing from the data and what dropping costs (3), met the limit of any threshold and the head that passes it (4), sampled networks of vessels from a photograph and compared the doubt of branches with that of pixels (5), walked branches anew (6), and tested whether the probabilities are honest (7, 8).
#
# ## Further reading
#
# - X. Hu, D. Samaras and C. Chen, "Learning probabilistic topological representations using discrete Morse theory" (2023), [arXiv:2206.01742](https://arxiv.org/abs/2206.01742): the paper of this chapter, one threshold with prior and posterior.
# - S. Gupta, Y. Zhang, X. Hu, P. Prasanna and C. Chen, "Topology-aware uncertainty for image segmentation" (2023), [arXiv:2306.05671](https://arxiv.org/abs/2306.05671): a decision for each branch, and perturb-and-walk.
# - S. A. A. Kohl et al., "A probabilistic U-Net for segmentation of ambiguous images" (2018), [arXiv:1806.05034](https://arxiv.org/abs/1806.05034): prior and posterior, on pixels; the published code builds on it.
# - Y. Gal and Z. Ghahramani, "Dropout as a Bayesian approximation" (2016), [arXiv:1506.02142](https://arxiv.org/abs/1506.02142): the fourth method of section 8.
# - C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks" (2017), [arXiv:1706.04599](https://arxiv.org/abs/1706.04599): why networks are too bold, and temperature scaling.
# - J. Nixon, M. Dusenberry, G. Jerfel, T. Nguyen, J. Liu, L. Zhang and D. Tran, "Measuring calibration in deep learning" (2019), [arXiv:1904.01685](https://arxiv.org/abs/1904.01685): what the expected calibration error hides.
# - M. M. Fraz et al., "An ensemble classification-based approach applied to retinal blood vessel segmentation" (2012), [doi:10.1109/TBME.2012.2205687](https://doi.org/10.1109/TBME.2012.2205687): CHASE_DB1.
# - X. Hu, "Learning Topological Representations for Deep Image Understanding" (2024), [arXiv:2403.15361](https://arxiv.org/abs/2403.15361): the dissertation that this workbook follows.
#
# ## Next
#
# [Chapter 08](08_annotate_where_the_model_is_unsure.ipynb) puts the uncertainty to work: it asks a person about the branches that the model doubts, and learns from the answers. [Chapter 09](../09_run_a_full_training.ipynb) trains networks at full size. Before you go on, **shut this kernel down** (menu *Kernel*, *Shut Down Kernel*): it holds memory that the next chapter can use.
