# %% title [markdown]
# # Learn a distribution over structures
#
# **At the end** you can sample twenty networks of vessels from one photograph instead of one mask, say by which loss their threshold was learned and why that loss is a bound, and say what no threshold can do.
#
# ![Left: vessels of a retina with one sampled mask in yellow. Middle: the branches, coloured by how unsure the model is of each. Right: how unsure the network is of each pixel: only the rims of the vessels.](../images/07.png)
#
# **Time:** 30 minutes to read, 50 with exercises.
#
# **You need** [chapter 05](05_read_ridges_with_discrete_morse_theory.ipynb): branches, passes, persistence, and why no threshold of persistence cuts a false bridge. From PyTorch only what a gradient is.
#
# **You will be able to**
#
# - say why one mask, and one probability for each pixel, are not enough;
# - compute with a pencil how likely a branch is kept, and what the three parts of the loss are;
# - derive the loss as a lower bound, and say what it gives away;
# - show why the published code learns no threshold;
# - show on a real photograph what no threshold can do.

# %% parameters tags=["parameters"]
SEED = 0  # of all samples
SAMPLES = 20  # networks of vessels, of the photograph

# %% setup
import gudhi
import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.special import expit
from torch.nn import functional as F

from toposeg_lite import exercises, explorers, figures
from toposeg_lite.data import photos
from toposeg_lite.structures import StructureModel, find_branches, load_pretrained
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
# 1. In one of $2^{10} = 1024$, though it should be every second. Pixels of one branch are real or false *together*, so what is sampled must be branches. 2. None. That is the limit of this chapter (section 6), and the reason for [chapter 07b](07b_judge_each_branch.ipynb).
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
# $$u \sim \mathcal N(m, s^2), \qquad t = \sigma(u) \in (0, 1), \qquad q_k = \sigma\Big(\frac{p_k - t}{w}\Big),$$
#
# with $p_k$ the persistence of branch $k$, the sigmoid $\sigma(x) = 1 / (1 + e^{-x})$ and a **softness** $w$: branch $k$ is **kept with probability** $q_k$. (In the code $w$ is called `temperature`. Here that word is kept for something else, the scaling of chapter 07b.) Take your pencil: $t = .2$, $w = .1$. The bridge has $(.3 - .2) / .1 = 1$, so $q = \sigma(1) = .73$; the lower vessel has the same persistence (its peak dies at the pass of the bridge), so the same; the upper vessel $\sigma(7) = .999$; the speck $\sigma(-1) = .27$.
#
# The **loss** has three parts. The *segmentation* loss of the network; you know it. The **reconstruction** asks whether those branches are kept that are real: with $y_k$ the true part and $\ell_k$ the length of branch $k$,
#
# $$R = -\sum_k \frac{\ell_k}{\sum_j \ell_j} \big( y_k \log q_k + (1 - y_k) \log(1 - q_k) \big).$$
#
# And a third part: $m$ and $s$ come from a small network. In training, the **posterior** sees the image and the truth; in use there is no truth, so a **prior** that sees the image alone must do as well. The Kullback-Leibler divergence keeps them together:
#
# $$\mathrm{KL} = \log\frac{s_0}{s} + \frac{s^2 + (m - m_0)^2}{2 s_0^2} - \frac12, \qquad (m, s) \text{ of the posterior}, (m_0, s_0) \text{ of the prior}.$$
#
# In all, the loss is segmentation $+\,R + .03\,\mathrm{KL}$. (Prior and posterior could agree at no cost by shrinking together; a weak pull of $s_0$ towards 1, of weight .01, keeps them from it.)

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


def reconstruction(persistence, truth, length, threshold, softness):
    q = expit((persistence - threshold) / softness)
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
naive = reconstruction(*data, t, model.temperature())
normal = torch.distributions.Normal
judge = torch.distributions.kl_divergence(normal(*posterior), normal(*prior))
ours = sorted(set(found.persistence.round(2).tolist()))
theirs = np.round(gudhi_persistence(IMAGE), 2).tolist()
print("persistence: library", ours, "GUDHI", theirs)
print(f"reconstruction: naive {naive:.4f}, library {parts.reconstruction.item():.4f}")
print(f"KL: naive {kl(m, s, m0, s0):.4f}, library {parts.kl.item():.4f}, torch {judge.item():.4f}")

# %% agree-meaning [markdown]
# Bridge and lower vessel share the persistence .3 (one pair), so three numbers belong to four branches. The reconstruction uses one sample of the threshold, $u = m + s \cdot x$ with a normal $x$: written like this, the loss has a derivative with respect to $m$ and $s$ (the *reparametrisation trick*). And a persistence is the difference of two pixels, so the network gets a gradient, too, as in chapter 03.

# %% bound-text [markdown]
# ## 3. Why these parts: a lower bound
#
# Where does such a loss come from? Suppose that an annotation is made like this. First $u$ is sampled from the prior, $p(u) = \mathcal N(m_0, s_0^2)$, and with it the threshold; then each branch is kept or not, independently, with probability $q_k(u)$. How probable is the annotation $y$ that we have? Every threshold may have led to it:
#
# $$p(y) = \int p(y \mid u)\, p(u)\, du, \qquad p(y \mid u) = \prod_k q_k(u)^{y_k} \big(1 - q_k(u)\big)^{1 - y_k}.$$
#
# A good model makes $\log p(y)$ large. For a single number $u$ one can compute the integral, and the next cell does; in general one cannot. The way out is to choose *any* distribution $r(u)$, to multiply and divide by it, and to pull the logarithm into the mean. The logarithm of a mean is at least the mean of the logarithms (Jensen's inequality), so
#
# $$\log p(y) = \log \mathrm E_r \frac{p(y \mid u)\, p(u)}{r(u)} \;\ge\; \mathrm E_r \log \frac{p(y \mid u)\, p(u)}{r(u)} = \mathrm E_r \log p(y \mid u) - \mathrm{KL}(r \,\|\, p).$$
#
# The first term is minus a reconstruction, the second is the KL divergence from the prior: the two parts of section 1, with our posterior $\mathcal N(m, s^2)$ as $r$. Whoever makes the loss small pushes this **lower bound** up, and $\log p(y)$ lies above it. That is *variational* inference, and the bound is called the evidence lower bound (ELBO). What is given away is exactly $\mathrm{KL}(r \,\|\, p(u \mid y))$, so nothing at all if $r$ is the true posterior; therefore $r$ is allowed to see the truth.
#
# <details><summary>For mathematicians: the gap, and the weight</summary>
#
# By Bayes' rule $p(y \mid u)\, p(u) = p(u \mid y)\, p(y)$ for every $u$. Put this into the bound:
#
# $$\mathrm E_r \log \frac{p(u \mid y)\, p(y)}{r(u)} = \log p(y) - \mathrm{KL}\big(r \,\|\, p(u \mid y)\big).$$
#
# So the gap is a divergence, never negative, and zero only if $r$ is the true posterior (up to sets of measure zero). To raise the bound over $r$ with the model held fixed is to bring $r$ near the true posterior; to raise it over the model is to raise $\log p(y)$ or to make the posterior easier to fit, and nothing tells which of the two has happened.
#
# With a weight $\lambda$ one minimises $R + \lambda\,\mathrm{KL}$, that is, $\lambda$ times $R / \lambda + \mathrm{KL}$: minus a bound for the model in which $p(y \mid u)$ is replaced by $p(y \mid u)^{1/\lambda}$ where $R$ is a mean over branches, as here. That is a proper bound as well, on the evidence of so many copies of an average branch.
#
# </details>
#
# Predict for the 5x5 image: the truth keeps vessel and bridge apart, which share a persistence of .3. Where will the posterior put the threshold?

# %% bound
u = np.linspace(-6, 6, 2401)  # all thresholds, before the sigmoid

def normal(m, s):
    return np.exp(-(((u - m) / s) ** 2) / 2) / (s * np.sqrt(2 * np.pi))

def mean_of(values, density):
    return (values * density).sum() * (u[1] - u[0])

worth, real = data[0][:, None], data[1][:, None]
q = expit((worth - expit(u)) / 0.1)
log_p = (real * np.log(q) + (1 - real) * np.log(1 - q)).sum(0)  # log p(y | u)
prior = normal(0, 1)
evidence = np.log(mean_of(np.exp(log_p), prior))  # log p(y)
exact = np.exp(log_p - evidence) * prior  # the true posterior
bounds = {
    (m, s): mean_of(log_p, normal(m, s)) - kl(m, s, 0, 1)
    for m in np.linspace(-3, 1, 41).round(1).tolist()
    for s in np.linspace(0.2, 1.2, 11).round(1).tolist()
}
best = max(bounds, key=bounds.get)
lost = mean_of(np.log(normal(*best) / exact), normal(*best))
print(f"log p(y) {evidence:.3f}; the best bound {bounds[best]:.3f}, with (m, s) = {best}")
print(f"given away {evidence - bounds[best]:.4f}, KL from the true posterior {lost:.4f}")

# %% bound-picture
figure = Figure(figsize=(10.4, 3.9), layout="constrained")
left, right = figure.subplots(1, 2)
left.fill_between(u, exact, color="0.8", label="true posterior")
left.plot(u, prior, "k--", label="prior")
left.plot(u, normal(*best), color=figures.COMPONENT, label="best normal posterior")
left.set(xlim=(-4, 3), xlabel="u; the threshold is its sigmoid", ylabel="density")
left.legend(loc="upper right")
means = sorted({m for m, _ in bounds})
for s, style in ((0.2, ":"), (best[1], "-"), (1.2, "-.")):
    values = [bounds[m, s] for m in means]
    right.plot(means, values, style, color=figures.COMPONENT, label=f"bound, s = {s}")
right.axhline(evidence, color="k", label="log p(y)")
right.set(ylim=(evidence - 3, evidence + 0.3), xlabel="m of the posterior", ylabel="natural log")
right.legend(loc="lower center")
text = "Left: prior, true posterior and the best normal one. Right: the lower bound over the mean "
figures.show(figure, text + "of the posterior, for three deviations; all of it below log p(y).")

# %% bound-meaning [markdown]
# The best normal posterior has its mean at $u = -.8$, a threshold of .31, right between vessel and bridge, which nothing can separate. Its bound lies .008 below $\log p(y)$, and that is the divergence between the blue curve and the grey one, as the formula says: the true posterior is nearly a bell. A posterior that is too narrow ($s = .2$) or too wide (1.2) gives away more than one half (of a natural logarithm, as all numbers here).
#
# Two things are different in the library. $R$ is a *mean* over the branches, weighted by length, not a sum, and the KL has the weight .03. So $R + .03\,\mathrm{KL}$ is .03 times a bound for an image with $1 / .03 \approx 33$ branches of average length, however many there are in truth: the prior has the same say in a small image as in a large one. And the expectation over $r$ is replaced by one sample of $u$ in each step, which is right in the mean.

# %% published-text [markdown]
# ## 4. What the published code learns
#
# The paper's idea is the one above, but the [code](https://github.com/HuXiaoling/Structural_Uncertainty) published with it multiplies the cross-entropy of the *pixels* by the skeleton above the sampled threshold, a mask through which no gradient passes. So its threshold learns nothing from the data, and dropping a branch costs nothing, as the next cell shows.

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
# | | published code | here |
# |---|---|---|
# | gradient of the threshold | none: the mask is a constant | of the mean and of the deviation |
# | a real branch that is dropped | costs nothing: the cost falls as the threshold rises | costs as much as a false one that is kept |
# | least cost | where all is dropped | in between |
#
# <details><summary>More on the three differences, and what is to be said for the code</summary>
#
# - **The threshold learns nothing.** The mask is made with NumPy (file `probabilistic_unet.py`), so for the derivative it is a constant, and the threshold gets no gradient from the data (`None`). Prior and posterior are moved by the KL alone, that is, towards each other. The pixels do get a gradient.
# - **Dropping is free.** What is not in the mask costs nothing: in the last lines the published cost falls as the threshold rises, to almost nothing where all is dropped. If a gradient did reach it, it would only ever push the threshold up. Our cost counts a real branch that is dropped as well as a false one that is kept, so it has its least in between.
# - **A false bridge stays.** Here bridge and lower vessel share the persistence .3: a threshold takes both or neither, as chapter 05 found. So it is with our mode "threshold", too.
#
# Besides, its `sample` returns nothing (`None`) if twenty sampled thresholds in a row miss $(0, 1)$; ours come out of a sigmoid. To be fair: the segmentation loss beside it trains the network all the same, thresholds that are sampled from a prior of some width do give varied and plausible structures, and the results of the paper may have been made with other code.
#
# </details>

# %% photo-text [markdown]
# ## 5. Twenty networks of vessels instead of one
#
# Now a real photograph (retina by Mikael Häggström, CC0). `load_pretrained` brings a small U-Net with such a prior, which this project trained on other photographs: the retinas of 8 children in CHASE_DB1, taken with another camera. It first evens out colour and light (`EvenLight`), so both look alike to it.
#
# The picture shows one sample of the vessels, on the left; how unsure the model is of each branch, in the middle; and for comparison how unsure the network is of each pixel, on the right. Entropy is 1 bit where the answer is a toss of a coin, and 0 where it is certain.
#
# How do branches that were kept become a mask, in which vessels have their width? Around each pixel of a path that lies in the network's mask is the largest disc that fits into it. A pixel of the mask belongs to the branch in whose disc it lies *deepest*, and goes if that branch is dropped. A kept branch is painted from end to end, three pixels wide where it lies outside the mask. (The plainer rule, each pixel with its *nearest* path, leaves crumbs where a branch goes; chapter 08 has the numbers, and the same rule for people.)
#
# With a running kernel the picture is live. Press *Play the samples*, or move **Sample**, and watch what flickers. **Point at a branch** in the first or second picture, or click it: the text says what it is worth, how likely it is, and in how many samples it was kept. By keyboard, *Marked branch* steps through them, the most uncertain first.
#
# Find: two branches of nearly the same persistence, one a vessel and one not. Does the model tell them apart? What becomes of faint vessels, and what of bridges through the dark?

# %% explorer tags=["end-product"]
photo, here = photos.retina(), np.s_[380:636, 700:956]
pretrained = load_pretrained("threshold")
options = {"n": SAMPLES, "selected": 2, "seed": SEED}
explorer = explorers.StructureExplorer({"threshold": pretrained}, photo.image[:, *here], **options)
branches, chance = explorer.distribution.branches, explorer.uncertainty.probability
kept = explorer.samples.kept.mean(0)
order = np.argsort(branches.persistence, kind="stable")
print("branches by persistence: probability, and share of the samples that keep it")
for k in order[np.linspace(0, len(order) - 1, 6).astype(int)]:
    print(f"  {branches.persistence[k]:.2f}: {chance[k]:.2f}  {kept[k]:.2f}")
explorers.show(explorer)

# %% photo-meaning [markdown]
# Read the printed lines. The probability rises with the persistence, and with nothing else. Even the most persistent branches get .65 only: the prior is unsure where the threshold lies, so all of them flicker, the thick vessel at the top as well. And they flicker together, for in each sample there is *one* threshold: the samples keep 5 to 22 of 39 branches.
#
# That is a distribution over structures: each sample is a network of whole branches, none is torn in the middle. But is it a good one?

# %% limit-text [markdown]
# ## 6. What no threshold can do
#
# How good can a threshold be at all? Take the branches of a larger part of the photograph, and the best threshold that there is, found by search on the very branches on which it is judged. Nothing that is learned can do better.

# %% limit
region = np.s_[640:1152, 200:1224]  # a larger part of the photograph
pieces = pretrained.branches(torch.from_numpy(photo.image[:, *region])[None])[0]
real = pieces.fraction_on(photo.mask[region]) >= 0.5
levels = np.linspace(0, 1, 101)
right = [((pieces.persistence > t) == real).mean() for t in levels]
best = int(np.argmax(right))
print(f"{len(real)} branches, {real.sum()} of them real")
print(f"the best threshold, {levels[best]:.2f}, judges {right[best]:.2f} of them rightly")
figure = Figure(figsize=(10.4, 3.6), layout="constrained")
left, middle = figure.subplots(1, 2)
bins = np.linspace(0, 1, 21)
values = [pieces.persistence[real], pieces.persistence[~real]]
left.hist(values, bins, label=["real", "false"], color=[figures.COMPONENT, figures.HOLE])
left.set(xlabel="persistence", ylabel="branches")
left.legend()
middle.plot(levels, right, color="k")
middle.set(xlabel="threshold", ylabel="share judged rightly", ylim=(0, 1))
text = "Left: how many branches of each persistence are real, and how many are false. Right: the "
figures.show(figure, text + "share of branches that a threshold judges rightly.")

# %% limit-meaning [markdown]
# A little more than half of the branches are real, so whoever keeps all is right in .54 of them. The best threshold of all is right in .64. The left picture says why: there are real and false branches at *every* persistence. A false bridge is as persistent as the tree behind it (chapter 05), and a faint vessel is worth little. The right curve is nearly flat: it hardly matters which threshold one takes.
#
# No training mends that, for the number itself does not know. To tell these branches apart takes more than one number for each of them; that is [chapter 07b](07b_judge_each_branch.ipynb).

# %% exercise-1 [markdown]
# ## Exercises
#
# Each exercise has a stub to fill in, a checker that names what may have gone wrong, a hint, and a solution in [the solved notebook](./07_learn_a_distribution_over_structures.ipynb). (07.4 and 07.5 are in [chapter 07b](07b_judge_each_branch.ipynb).)
#
# ### 07.1 With a pencil
#
# Four branches have the persistences .9, .5, .4 and .2. The threshold is .4, the softness .1. How probable is it that each is kept? A list of four numbers, to two digits.
#
# <details><summary>Hint</summary>
#
# $\sigma(1) = .73$, $\sigma(5) = .99$, and $\sigma(-x) = 1 - \sigma(x)$.
#
# </details>

# %% exercise-1-stub
kept_chances = None  # for instance [0.5, 0.4, 0.3, 0.2]

exercises.check("07.1", kept_chances)

# %% exercise-1-solution tags=["solution"]
# (.9 - .4) / .1 = 5, (.5 - .4) / .1 = 1, 0, and (.2 - .4) / .1 = -2.
kept_chances_solution = [0.99, 0.73, 0.5, 0.12]

exercises.check("07.1", kept_chances_solution)

# %% exercise-2 [markdown]
# ### 07.2 A bound with a pencil
#
# A model has only two thresholds, a low one and a high one, each with a prior probability of one half. There is one branch, and it is real. With the low threshold it is kept with probability .9, with the high one with .3. Write three numbers:
#
# 1. $p(y)$, how probable it is under this model that the branch is kept;
# 2. the lower bound on $\log p(y)$ that the posterior (one half, one half) gives;
# 3. the probability of the *low* threshold in the posterior that makes the bound an equality.
#
# <details><summary>Hint</summary>
#
# Either threshold may have led to it, each with its prior. For the second: how far is this posterior from the prior? What is left is a mean of two (natural) logarithms; $\ln .9 = -.105$, $\ln .3 = -1.204$. The third is Bayes' rule.
#
# </details>

# %% exercise-2-stub
bound_numbers = None  # for instance [0.5, -0.7, 0.5]

exercises.check("07.2", bound_numbers)

# %% exercise-2-solution tags=["solution"]
# p(y) = (.9 + .3) / 2. The posterior is the prior, so the KL is 0, and the bound is
# (ln .9 + ln .3) / 2; it lies below ln .6 = -.511. By Bayes, (.5 * .9) / .6.
bound_numbers_solution = [0.6, -0.655, 0.75]

exercises.check("07.2", bound_numbers_solution)

# %% exercise-3 [markdown]
# ### 07.3 Change the method: a threshold that sees the pass
#
# Many false branches of section 6 are persistent, but their passes lie deep: chapter 05 cut such branches by a second number, the saddle level. Give the mode "threshold" such a level. Write the probability that a branch is kept if it must do two things, each by chance and independently: its *persistence* must exceed the threshold, and the value of its pass, *saddle*, the level; with the same softness for both.
#
# <details><summary>Hint</summary>
#
# Each of the two has the probability of section 1. How likely are two independent events together?
#
# </details>

# %% exercise-3-stub
def keep_with_level(persistence, saddle, threshold, level, softness):
    """Return the probability that a branch is kept."""
    return None


exercises.check("07.3", keep_with_level)

# %% exercise-3-solution tags=["solution"]
def keep_with_level_solution(persistence, saddle, threshold, level, softness):
    """Both must hold: a product."""
    strong = expit((persistence - threshold) / softness)
    return strong * expit((saddle - level) / softness)


exercises.check("07.3", keep_with_level_solution)

# %% exercise-3-played [markdown] tags=["solution"]
# How much does the second number help on the photograph? Both rules may choose their numbers on the very branches on which they are judged, which flatters them.

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
print(f"threshold alone {alone_solution:.3f}, with a level {both_solution:.3f}")

# %% quiz-text [markdown]
# ## Ten questions
#
# Answer first, then unfold: behind every answer stands why it is right, or what it mixes up.

# %% quiz
exercises.quiz("07")

# %% practice [markdown]
# ## In practice
#
# - **Cost.** Finding the branches takes a fraction of the time of the network; a hundred samples of a 256x256 image take less than a tenth of a second. Train the network first, as always.
# - **Choose.** One threshold for all has two numbers to learn, so it needs few images and cannot overfit. Where persistence tells what is real, it is enough. Look at the picture of section 6 for your own data before you choose; else take the head of [chapter 07b](07b_judge_each_branch.ipynb).
# - **When it fails.** What the network gives no likelihood at all is no branch, and no sample can show it. A branch that is real in one half and false in the other is kept or dropped as a whole. Branches are kept or dropped independently of each other, given the threshold: that two arteries will not cross, the model does not know.
# - **What critics say.** Higgins et al. (2017) study what a weight on the KL does: it is a choice, not a law, and a bound with a weight is no longer a bound on $\log p(y)$. Gupta et al. (2023) find one threshold for a whole image too blunt, and let each branch be judged by itself.
#
# ## Summary
#
# You saw why pixels sampled one by one make no structures (prediction), kept branches by chance with a pencil (1), saw naive code, library, GUDHI and torch agree on all parts of the loss (2), derived it as a lower bound and measured what the bound gives away (3), showed why the published threshold learns nothing from the data (4), sampled networks of vessels from a photograph (5), and met the limit of any threshold (6).
#
# ## Further reading
#
# - X. Hu, D. Samaras and C. Chen, "Learning probabilistic topological representations using discrete Morse theory" (2023), [arXiv:2206.01742](https://arxiv.org/abs/2206.01742): the paper of this chapter, one threshold with prior and posterior.
# - S. A. A. Kohl et al., "A probabilistic U-Net for segmentation of ambiguous images" (2018), [arXiv:1806.05034](https://arxiv.org/abs/1806.05034): prior and posterior, on pixels; the published code builds on it.
# - D. P. Kingma and M. Welling, "Auto-encoding variational Bayes" (2013), [arXiv:1312.6114](https://arxiv.org/abs/1312.6114): the lower bound, and the reparametrisation by which it is trained.
# - I. Higgins et al., "beta-VAE: learning basic visual concepts with a constrained variational framework" (2017), [openreview.net/forum?id=Sy2fzU9gl](https://openreview.net/forum?id=Sy2fzU9gl): a weight on the KL.
# - M. M. Fraz et al., "An ensemble classification-based approach applied to retinal blood vessel segmentation" (2012), [doi:10.1109/TBME.2012.2205687](https://doi.org/10.1109/TBME.2012.2205687): CHASE_DB1.
# - X. Hu, "Learning Topological Representations for Deep Image Understanding" (2024), [arXiv:2403.15361](https://arxiv.org/abs/2403.15361): the dissertation that this workbook follows.
#
# ## Next
#
# [Chapter 07b](07b_judge_each_branch.ipynb) gives each branch a distribution of its own, and tests whether the probabilities are honest. Before you go on, **shut this kernel down** (menu *Kernel*, *Shut Down Kernel*): it holds memory that the next chapter can use.
