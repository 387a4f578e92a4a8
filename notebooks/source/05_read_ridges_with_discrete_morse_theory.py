# %% title [markdown]
# # Read ridges with discrete Morse theory
#
# **At the end** you can turn a likelihood into a network of ridges, say of any branch what it is worth, and say why the marked one, the most persistent of all, is false.
#
# ![Left: vessels of a retina with their skeleton in orange, and dashed in purple what the saddle level has cut from it; one cut branch is marked. Right, above: each branch as a dot, its persistence against the value of its pass. Right, below: the likelihood along the marked branch, with a long deep valley.](../images/05.png)
#
# **Time:** 35 minutes to read, 70 with exercises.
#
# **You need** [chapter 02](02_measure_shape_with_persistence.ipynb): births above deaths, pairs, the elder rule.
#
# **You will be able to**
#
# - build the gradient field of a 5x5 image with a pencil, and find its critical edges;
# - follow V-paths from a pass to its peaks, and join them to a skeleton;
# - simplify a skeleton by persistence, by cancelling a pass with a peak;
# - explain why persistence alone never cuts, and what the saddle level cuts instead;
# - use the basins of the pits as patches, and say what eight bits do to ridges.

# %% parameters tags=["parameters"]
SEED = 0  # of the synthetic images
PERSISTENCE = 0.1  # branches of at most this persistence are taken for noise
SADDLE_LEVEL = 0.15  # branches whose pass is lower are cut

# %% setup
import gudhi
import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import distance_transform_edt, label
from scipy.special import expit, logit
from skimage.filters import gaussian
from skimage.metrics import adapted_rand_error
from skimage.morphology import local_maxima, local_minima, skeletonize

from toposeg_lite import exercises, explorers, figures
from toposeg_lite.data import photos, synthetic
from toposeg_lite.topology import morse_complex

print(f"gudhi: version {gudhi.__version__}")


# %% predict [markdown]
# ## Predict first
#
# You walk along a mountain ridge. These are the heights, from west to east:
#
# | .9 | .8 | .9 | .2 | .7 | .6 | .7 |
# |---|---|---|---|---|---|---|
#
# There are three dips, at .8, .2 and .6. Say that a dip is *worth* as much as the lower one of the two mountains that it parts stands above it: so much must be scratched off to be rid of the dip, and of that mountain with it.
#
# 1. What are the three dips worth?
# 2. Somebody calls all dips noise that are worth at most $t$, and raises $t$ until the deep dip is gone, too. What is left of the ridge?
# 3. The two mountains do not belong together: the way over .2 is no ridge. Is there a $t$ that keeps both mountains and drops the way between them?
#
# <details><summary>Answer</summary>
#
# 1. .1, .5 and .1. 2. One peak, the highest. The dip is worth .5 only because of the mountain behind it, and leaves together with it. 3. No: whatever $t$ takes away the dip takes away the mountain. That is what this chapter is about.
#
# </details>

# %% by-hand [markdown]
# ## 1. By hand: a gradient field
#
# See the likelihood as a landscape: thin structures are its **ridges**. How does one find a ridge? A pixel that looks only at its neighbours cannot know. But water knows where it flows, and a climber knows the steepest way up. Discrete Morse theory (Forman 1998) makes this exact for pixels, without derivatives.
#
# As in chapter 02, let the threshold fall from 1 to 0, so that pixels enter from bright to dark, equal ones in reading order; pixels that share a side or a corner are neighbours. When $p$ enters, look at those of its neighbours that are there already, its **upper link**. Two of them that are neighbours of each other hang together. Into how many parts does the upper link fall?
#
# | parts | $p$ is a | what the picture below shows |
# |---|---|---|
# | none | **peak** | a ring: here a component is born |
# | one | regular pixel | an **arrow** to the highest neighbour |
# | one, with all four sides of $p$ in it | **pit** | a square, and an arrow to the highest neighbour: here a hole is filled, and dies |
# | two or more | **pass** | an arrow to the highest neighbour, and a **critical edge** to the highest neighbour in each other part |
#
# Take the image of chapter 02, and there the pixel (1, 0) = .7. Its upper link is {.9, .8} above it and {.8} below it, in two parts: it is a pass, with an arrow to .9 and a critical edge to .8. The pixel (1, 1) = .2 is a pit: all its eight neighbours are there before it, in one part. **Do it with a pencil** for all pixels of at least .3, before you look at the picture below.

# %% naive-link
def neighbours(p):
    return [(p[0] + i, p[1] + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]


def upper_link(p, rank):
    """Return the neighbours of p that entered before, in connected parts, the highest first."""
    parts = []
    for q in sorted((q for q in neighbours(p) if q in rank), key=rank.get):
        meets = [part for part in parts if any(r in neighbours(q) for r in part)]
        parts = [part for part in parts if part not in meets] + [sum(meets, []) + [q]]
    parts = [sorted(part, key=rank.get) for part in parts]
    return sorted(parts, key=lambda part: rank[part[0]])


# %% naive-field
def gradient_field(image):
    """Return {pixel: where its arrow leads} and the list of critical edges."""
    rank, arrow, critical = {}, {}, []
    for p in sorted(np.ndindex(image.shape), key=lambda p: -image[p]):
        heads = [part[0] for part in upper_link(p, rank)]
        if heads:
            arrow[p] = heads[0]
            critical += [(p, q) for q in heads[1:]]
        rank[p] = len(rank)
    return arrow, critical


def pits_of(image):
    """Return the pixels whose four sides all enter before them."""
    order = sorted(np.ndindex(image.shape), key=lambda p: -image[p])
    sides = {p: [q for q in neighbours(p) if p[0] == q[0] or p[1] == q[1]] for p in order}
    return [p for k, p in enumerate(order) if set(sides[p]) <= set(order[:k])]


def v_path(p, arrow):
    return [p, *v_path(arrow[p], arrow)] if p in arrow else [p]


# %% field
IMAGE = np.array(
    [
        [0.9, 0.8, 0.4, 0.0, 0.0],
        [0.7, 0.2, 0.8, 0.0, 0.0],
        [0.8, 0.5, 0.7, 0.1, 0.0],
        [0.0, 0.0, 0.1, 0.3, 0.6],
        [0.0, 0.0, 0.0, 0.4, 0.7],
    ]
)
arrow, critical = gradient_field(IMAGE)
pits = pits_of(IMAGE)
figure = Figure(figsize=(8.4, 4.5), layout="constrained")
left, right = figure.subplots(1, 2)
figures.pixel_values(IMAGE, title="landscape", ax=left)
figures.gradient_field(IMAGE, arrow.items(), critical, pits=pits, title="gradient field", ax=right)
text = "The 5x5 image, and its gradient field: arrows lead to the highest neighbour; three peaks "
text += "are circled, three critical edges are dashed, and the pit has a square."
figures.show(figure, text)
for p, q in critical:
    ways = (" ".join(f"{IMAGE[r]:.1f}" for r in v_path(start, arrow)) for start in (p, q))
    print(f"pass {p} = {IMAGE[p]}: up one side {next(ways)}, up the other {next(ways)}")
peaks = IMAGE.size - len(arrow)  # from a peak no arrow starts
sum_of_all = peaks - len(critical) + len(pits)
print(f"peaks - critical edges + pits: {peaks} - {len(critical)} + {len(pits)} = {sum_of_all}")


# %% field-meaning [markdown]
# Three kinds of events: at a **peak** a component is born, a **critical edge** joins two components or closes a loop, and at a **pit** a hole is filled. Everything else flows.
#
# They can be counted, to check the pencil. Each peak and each pit makes the number of components minus that of the holes one larger, each critical edge one smaller. When all pixels are there, it is 1: one component, no hole. So peaks minus critical edges plus pits is 1, always: here $3 - 3 + 1$, and $25 - 48 + 24$ for the random hills of section 3.
#
# Follow the arrows from any pixel: that is a **V-path**, the way of steepest ascent, and it ends at a peak. From the two ends of a critical edge, two V-paths lead up on both sides of the pass. Together they are a **branch**: from peak to peak by way of the pass. The last lines list them. All branches together are the **ridges** of the image.
#
# The theory has its own words for this, which you will meet in Forman (1998) and Hu et al. (2021). A pixel is a *vertex*; two neighbours span an *edge*, and neighbours all around close a *face*. An arrow is a **pair of cells**: a pixel, and the edge along which it leaves. The other edges are paired in the same way with faces, which the picture leaves out. Cells without a partner are **critical**: the peaks (dimension 0), the critical edges (1), and one face at each pit (2). All of these, with the boundaries that V-paths give them, are the **discrete Morse complex**: a critical edge is bounded by the two peaks to which its V-paths lead, a critical face by the critical edges around its pit. A branch, the V-paths of one critical edge, is called its *1-stable manifold*. So the ridges are a part of the complex, and this chapter needs no other until section 7, where the pits have their turn.
#
# <details><summary>For mathematicians: Forman's cells</summary>
#
# **The complex.** Closed pixels that share a side or a corner touch. Take a vertex for each pixel, an edge for each two that touch, a triangle for each three and a tetrahedron for each four that meet in one corner: the *nerve* of the pixels. It has the homotopy type of their union (nerve theorem), so nothing is lost. A cell enters with its darkest pixel, and each pixel $p$ brings its **upper star**: itself, and all cells that it spans with its upper link.
#
# **The field.** A *discrete vector field* is a set of pairs $\alpha < \beta$ of cells, $\beta$ of one dimension more, in which no cell occurs twice. A V-path is a sequence $\alpha_0 < \beta_0 > \alpha_1 < \beta_1 > \dots$, in which each $\beta_i$ is the partner of $\alpha_i$ and $\alpha_{i+1}$ another face of it. If no V-path closes, the field is a *gradient field*. Ours cannot close: along a V-path the pixel never enters later than before.
#
# **The critical cells** are those without a partner. Forman (1998): the complex has the homotopy type of one with just one cell of dimension $k$ for each critical cell of dimension $k$. Therefore, with $m_k$ of them,
#
# $$m_0 - m_1 + m_2 = \chi, \qquad m_k \ge b_k.$$
#
# **Pixel by pixel** (Robins, Wood and Sheppard 2011): an upper link around $p$ is empty, or a number $j$ of arcs, or the whole circle. If it is empty, $p$ itself is critical: a peak. Else $p$ is paired with the edge to its highest neighbour. Of each other arc, the edge to its highest pixel stays without a partner: $j - 1$ critical edges. A circle has one cell of dimension 2 too many: the pit's face. All other cells of the star are paired. The star's share of $\chi$ is 1, $1 - j$, or 1, which is the sum that the pencil check adds up.
#
# **The boundary** of a critical cell counts, modulo 2, the V-paths that lead from its faces to critical cells of one dimension less. If there is just one V-path from a critical cell to another, both can be *cancelled*: reverse it, and both have partners. Section 2 does that.
#
# </details>
#
# Look at the pass (2, 1) = .5: its two ways up lead to (2, 0) and, over (1, 2), to (0, 0). It closes the ring around the pit .2. And the pass (3, 3) = .3 is the bridge to the corner.

# %% film [markdown]
# The same in motion, three times; [four of its frames](../images/05-film.png) stand still.
#
# ![On the 5x5 image, from each of the three passes, .7, .5 and .3, two paths climb along the arrows to the peaks on both sides and turn yellow; together they are the ridges.](../images/05-film.gif)

# %% worth-text [markdown]
# ## 2. What a branch is worth, and how to simplify
#
# A branch is worth the **persistence** of its pass. If it joins two components, the lower of their highest peaks dies there (elder rule), and its worth is that peak minus the pass. If it closes a loop, it parts the background in two, and each side has a deepest pit (the outside counts as deeper than any). The loop is the one around the side whose deepest pit is the *shallower*, by the elder rule of chapter 02; it dies in that pit, and is worth the pass minus the pit. These are just the pairs of chapter 02, so we ask GUDHI for them, which knows nothing of arrows. **Passes and pairs correspond**: every pass is the death pixel of a component or the birth pixel of a hole.
#
# To **simplify** is to take away all branches that are worth at most a threshold. A loop is just left out. A joining pass $p$ is **cancelled** with the peak that dies there: the V-path from $p$ up to that peak is *turned round*. Now its pixels lead down to $p$ and up on the other side, so that every V-path that ended at the cancelled peak leads on to the next one, and nothing is torn. The naive code takes the least persistent pass first; then one of the two V-paths from the edge does end at the dying peak. For in the component that dies, all other peaks are lower and all passes higher, so these are worth less and are cancelled already: there all arrows lead to the one peak that is left.

# %% worth
def worth(image):
    """Return {pass: (persistence, the peak that dies there, or None for a loop)}, from GUDHI."""
    cubes = gudhi.CubicalComplex(top_dimensional_cells=-image)
    cubes.compute_persistence(min_persistence=0)
    found = {}
    for k, pairs in enumerate(cubes.cofaces_of_persistence_pairs()[0]):
        for pair in pairs:
            birth, death = zip(*np.unravel_index(pair, image.shape, order="F"), strict=True)
            depth = image[birth] - image[death]
            if k == 0:
                found[death] = depth, birth
            else:
                found[birth] = depth, None
    return found


for (p, _), name in zip(critical, ("pass", "loop", "bridge"), strict=True):
    depth, peak = worth(IMAGE)[p]
    end = f"ends {IMAGE[peak]}" if peak else "no peak"
    print(f"{name:6} at {p}: persistence {depth:.1f},", end)


# %% naive-skeleton
def naive_skeleton(image, persistence):
    """Draw the branches that are worth more than a threshold; return the mask and the arrows."""
    (arrow, critical), value = gradient_field(image), worth(image)
    for p, q in sorted(critical, key=lambda edge: value[edge[0]][0]):
        depth, peak = value[p]
        if peak and depth <= persistence:  # cancel: turn round the way up to the peak
            start, other = (p, q) if v_path(p, arrow)[-1] == peak else (q, p)
            way = [other, *v_path(start, arrow)]
            arrow.update(zip(way[1:], way, strict=False))
    mask = image == image.max()
    for p, q in critical:
        if value[p][0] > persistence:
            mask[tuple(np.transpose(v_path(p, arrow) + v_path(q, arrow)))] = True
    return mask, arrow


# %% agree-text [markdown]
# ## 3. Pencil, naive code and library agree
#
# The library computes the complex once and then answers for any threshold. It needs no GUDHI; so GUDHI can be the judge. We compare on the 5x5 image and on random hills of 21 rows and 30 columns: the skeletons at five thresholds, and the passes with the critical pixels of GUDHI's pairs. (Where three ridges meet in one pixel, it has two critical edges, and our small dictionary would mix up their worth; the library keeps them apart.)

# %% agree
hills = gaussian(np.random.default_rng(SEED).random((21, 30)), 1)
for name, image in (("5x5", IMAGE), ("hills", hills)):
    complex_ = morse_complex(image)
    passes = np.unravel_index(complex_.branches().saddle, image.shape)
    naive = {p for p, _ in gradient_field(image)[1]}
    same = set(zip(*passes, strict=True)) == set(worth(image)) == naive
    equal = [
        np.array_equal(naive_skeleton(image, t)[0], complex_.skeleton(t).mask)
        for t in (0, 0.05, 0.15, 0.2, 0.35)
    ]
    agree = f"passes agree: {same}; skeletons agree: {sum(equal)} of {len(equal)}"
    print(f"{name}: {complex_}; {agree}")

# %% simplify
figure = Figure(figsize=(11.6, 3.6), layout="constrained")
axes = figure.subplots(1, 4)
for ax, t in zip(axes, (0, 0.15, 0.35), strict=False):
    mask, arrow = naive_skeleton(IMAGE, t)
    kept = [(p, q) for p, q in critical if worth(IMAGE)[p][0] > t]
    figures.gradient_field(IMAGE, arrow.items(), kept, mask=mask, title=f"persistence {t}", ax=ax)
cut = morse_complex(IMAGE).skeleton(saddle_level=0.35).mask
figures.pixel_values(IMAGE, mask=cut, title="saddle level 0.35", ax=axes[3])
text = "The skeleton of the 5x5 image in yellow, at three thresholds of persistence, where it "
text += "shrinks but stays in one piece; and at a saddle level, where the ring stays and the "
text += "bridge is cut."
figures.show(figure, text)

# %% simplify-meaning [markdown]
# - **Persistence 0**: all three branches, ring, bridge and corner.
# - **Persistence .15**: the pass between the two peaks .9 and .8 is cancelled. Look at (2, 0): it was a peak, and now an arrow leads from it to (1, 0) and on to (0, 0). The skeleton is the same, with one peak less.
# - **Persistence .35**: the loop (worth .3) is gone, and its ring opens. The bridge over .3 (worth .4) stays! It is the *faintest* part of the skeleton and the *most persistent*, because the peak .7 behind it stands so high above it.
# - The last picture has a second threshold instead. The **saddle level** cuts every branch whose pass lies below it, whatever it is worth: now the ring stays, and the bridge is gone.
#
# Two thresholds, two questions. Persistence: *is this branch more than a wrinkle?* Saddle level: *does anything hold it together?* No answer to the first answers the second.

# %% photo-text [markdown]
# ## 4. A real photograph
#
# The vessels of chapter 02 again (retina by Mikael Häggström, CC0), with the same formula in place of a network. The cell first checks what the dissertation calls *critical point correspondence*: peaks against scikit-image's local maxima, passes against GUDHI's pairs.
#
# The picture is live, here with a running kernel and on the workbook's site without one. Move **Persistence above** and **Saddle level**. **Point at a branch** of the skeleton, or at a dot beside it: both light up, the branch is drawn thick, and its profile appears. A **click** marks it, and the text says what it is worth, how high its pass is, how long it is and how likely on average. By keyboard, *Marked branch* steps through them, the most persistent first. *Challenge* asks something and listens. *Your own image* takes a picture from your disk.
#
# Find: a saddle level at which branch 1 is no longer cut. A branch that joins and has a pass above .8: what does it join? The loop with the largest persistence: is it real?

# %% photo tags=["end-product"]
photo, window = photos.retina(), np.s_[800:1312:2, 240:752:2]
vessels = photos.vesselness(photo.image)[window]
options = {"min_persistence": PERSISTENCE, "saddle_level": SADDLE_LEVEL, "selected": 1}
explorer = explorers.MorseExplorer(vessels, **options)
everything = explorer.complex_.branches()
passes = zip(*np.unravel_index(everything.saddle, vessels.shape), strict=True)
print(f"{local_maxima(vessels).sum()} peaks, {(everything.dimension == 0).sum()} joins")
print(f"{len(everything)} passes; GUDHI's are the same: {set(passes) == set(worth(vessels))}")
explorers.show(explorer)

# %% photo-meaning [markdown]
# scikit-image finds as many peaks as there are joins, and one more: the highest never dies. All 1358 passes are, pixel by pixel, those of GUDHI.
#
# **Branch 1** joins the trees in the upper left corner to the thick vessel below. It is worth .72, more than any other. But look at its profile: nearly forty pixels of it lie in the dark, below .25, where neither the eye nor the reference sees a vessel. It is a **false bridge**. Its mean likelihood of .51 says little, because more than half of it runs along good vessels. What gives it away is the white square, the weakest link: .12. And why is it worth so much? Because of the bright tree behind it. (The peak that dies at a pass is the highest of its whole tree, .84 here. A branch ends at the *first* surviving peak on its way, so the end in the picture may be lower.)
#
# In the chart, a false bridge lies at the lower right: persistent, with a low pass. (No join lies above the grey line, because pass and persistence add up to the height of a peak, at most 1.) A vertical line cannot separate it from the good branches. A horizontal line can.

# %% alone-text [markdown]
# ## 5. Why persistence alone keeps false bridges
#
# Can persistence do it alone, if we only choose it well? Predict: into how many parts does the skeleton fall as the threshold rises, and at which threshold does the bridge go?
#
# The cell tries every threshold of persistence, without a saddle level and with one. *On vessels* is the share of the skeleton that lies within 2 pixels of the reference's vessels (this project's silver mask), *vessels found* the share of the reference's centre line within 2 pixels of the skeleton. A row is printed for some of them; *bridge* says if branch 1 is there.

# %% alone
mask = photo.mask.astype(int)[window] > 0
line, near = skeletonize(mask), distance_transform_edt(~mask) <= 2
figure = Figure(figsize=(11, 3.6), layout="constrained")
axes = figure.subplots(1, 3)
thresholds = np.arange(0, 0.76, 0.01).round(2).tolist()
for level, style in ((0, "-"), (0.15, "--")):
    rows = []
    for t in thresholds:
        skeleton = explorer.complex_.skeleton(t, level)
        right = near[skeleton.mask].mean()
        found = (distance_transform_edt(~skeleton.mask) <= 2)[line].mean()
        rows.append((figures.count_parts(skeleton), right, found))
        if t in (0, 0.05, 0.1, 0.2, 0.5, 0.72):
            there = "yes" if skeleton.mask.flat[everything.saddle[0]] else "no"
            print(f"saddle level {level:4}, persistence {t:4}: parts {rows[-1][0]:2}, ", end="")
            print(f"bridge {there:3}, on vessels {right:4.0%}, vessels found {found:4.0%}")
    for ax, values in zip(axes, zip(*rows, strict=True), strict=True):
        ax.plot(thresholds, values, style, color=figures.SKELETON if level else "k", label=level)
for ax, title in zip(axes, ("parts", "on vessels", "vessels found"), strict=True):
    ax.set(xlabel="persistence", title=title, ylim=(0, None))
axes[0].legend(title="saddle level")
figures.show(figure, "Parts and quality of the skeleton over persistence, at two saddle levels.")

# %% alone-meaning [markdown]
# - Without a saddle level there is **one part, always**. The components that a pass joins stay joined: a cancelled pass is crossed by a turned V-path, a surviving one by its branch. Nothing is ever cut; structures can only vanish, from the faint end.
# - So the bridge stays until persistence .72. There the *whole tree* behind it has vanished, and so has nearly everything else: a single pixel is left.
# - The saddle level alone (.15) is better than persistence .1 in both respects, 88 % against 85 % on vessels and 89 % against 78 % found. With a little persistence (.05), 97 % are right, about as with persistence .2 alone (98 %), but 77 % are found instead of 64 %.
# - It has its price, in the left picture. The reference has 3 connected parts, and with a persistence of .1 or less the cut skeleton has 17 to 65: where a true vessel fades, it is cut as well. A faint stretch of vessel and a dark bridge look the same to a threshold. To know better, the likelihood has to be better, and that is what one trains for.
#
# (We have looked at the reference to choose .15. For results that count, choose it on validation images.)

# %% published-text [markdown]
# ## 6. What the published pipeline does differently
#
# Hu et al. (2021) bring these ridges into the training of networks: the loss compares prediction and truth on them alone. Their repository holds the extraction, without the loss; this is how we read it ([commit de4a3ef](https://github.com/HuXiaoling/DMT_loss/tree/de4a3ef5a22833e93c8ec28529f6308aa5ada267/morse_DMT)):
#
# - **Programs and files.** `main.py` lets one script write the image to files, one of them text with a line for each pixel; `mpiexec` runs a first executable (DIPHA, which computes persistence); MATLAB turns its output into text; a second executable reads the text and follows the paths. Names of files and the size of the image are fixed in the script, so two cannot run side by side. We measured about four seconds for one image of 256x256.
# - **Eight bits.** The likelihood is rounded to whole grey values, `int(-f * 255)`, and so is the threshold.
# - **Persistence only.** It is the only threshold, so every graph is as connected as in section 5.
#
# What do eight bits do? The next cell compares. It also plays a network that is three times as sure, with all logits multiplied by 3. That changes no order between pixels, so no arrow and no pass. *Flat* is the share of pixels on vessels whose left neighbour has exactly the same value; *elsewhere* the share of the skeleton (persistence .05, saddle level .15) more than 1.5 pixels from that of the floats.

# %% eight-bits
for times in (1, 3):
    sure = expit(times * logit(np.clip(vessels, 1e-6, 1 - 1e-6)))
    skeletons = []
    for name, image in (("floats", sure), ("8 bits", np.floor(255 * sure) / 255)):
        branches = morse_complex(image).branches()
        joins = (branches.dimension == 0).sum()
        loops = len(branches) - joins
        flat = (image[:, 1:] == image[:, :-1])[mask[:, 1:]]
        skeletons.append(morse_complex(image).skeleton(0.05, SADDLE_LEVEL).mask)
        off = (distance_transform_edt(~skeletons[0]) > 1.5)[skeletons[-1]].mean()
        print(f"logits x {times}, {name}: {joins:3} joins, {loops:3} loops;", end="")
        print(f" vessels {flat.mean():5.1%} flat; skeleton {off:5.1%} elsewhere")

# %% published-meaning [markdown]
# With floats, a surer network has the very same 597 joins and 761 loops: **arrows see only the order of values**. With eight bits, a third of the branches is gone at once, and with the surer network five sixths. Then a third of the vessel pixels lie on plateaus, where no way leads up. What one sees there is the order of reading, not a ridge: 17 % of the skeleton is elsewhere.
#
# To be fair: branches worth less than 1/255 are mostly noise, and for the soft likelihood only 3 % of the skeleton moved. The damage grows as training makes the network sure. The pipeline came with a paper to show that an idea works, in 2D and in 3D, and did so. Ours differs in that it reads floats, runs in memory, answers for all thresholds at once, and cuts.

# %% patches-text [markdown]
# ## 7. The other side: patches
#
# Turn the landscape upside down: the *pits* become peaks, and following the steepest descent every pixel runs to one pit. All that run to the same pit are its **basin**, and with the dual connectivity (4 for the background) the basins are **patches**. If the ridges are membranes, the patches are the cells between them. Simplified by the same persistence, a pit that is worth at most the threshold is swallowed by its neighbour.
#
# Here is a synthetic electron micrograph; membranes are dark, so its likelihood is the negated, smoothed image. Rivals are the components below a threshold. The adapted Rand error (scikit-image) compares with the true cells; 0 is perfect.

# %% patches
drawing = synthetic.membranes(seed=SEED)
smooth = gaussian(drawing.image[0], 2)
walls, cells = (smooth.max() - smooth) / np.ptp(smooth), label(~drawing.mask)[0]
ways = {f"persistence {t}": morse_complex(walls).patches(t) for t in (0, 0.05, 0.15, 0.3)}
ways |= {f"below {t}": label(walls < t)[0] for t in (0.35, 0.45, 0.55)}
print(f"{cells.max()} cells; {label(local_minima(walls, connectivity=1))[1]} pits")
for name, labels in ways.items():
    error = adapted_rand_error(cells, labels, ignore_labels=[0])[0]
    print(f"{name}: {labels.max()} patches, Rand error {error:.2f}")
figure, chosen = Figure(figsize=(11, 3.9), layout="constrained"), list(ways)[1:3] + list(ways)[5:6]
for ax, name in zip(figure.subplots(1, 3), chosen, strict=True):
    title = f"{name}: {ways[name].max()} patches"
    figures.image_with_patches(walls, ways[name], title=title, ax=ax)
figures.show(figure, f"The walls, and in orange the borders of patches: {', '.join(chosen)}.")

# %% patches-meaning [markdown]
# Without simplification there are as many patches as scikit-image finds pits, far too many. At persistence .15 there are 43 for 44 cells, and the error is .09; the best of the thresholds has .67, for **one gap in a wall lets two cells run together**, and specks inside a cell become patches. A patch does not leak: where two basins meet there is a border, however faint the wall. That is the strength of patches, and their weakness: where there is *no* wall, there may be a border, too (at .05), and a wall with a deep gap is taken away as a whole (at .15, the bright stretches near row 145, columns 130 to 165; at .3, half of the cells are gone).

# %% exercise-1 [markdown]
# ## Exercises
#
# Each exercise has a stub to fill in, a checker that names what may have gone wrong, a hint, and a solution in [the solved notebook](./05_read_ridges_with_discrete_morse_theory.ipynb).
#
# ### 05.1 A skeleton with a pencil
#
# Draw the skeleton of `exercises.PENCIL_RIDGE` at persistence .15 (8 neighbours), and write down its pixels as a list of `(row, column)`.
#
# | | 0 | 1 | 2 | 3 | 4 | 5 |
# |---|---|---|---|---|---|---|
# | **0** | .9 | .7 | .1 | 0 | 0 | 0 |
# | **1** | .3 | .2 | .5 | .1 | 0 | 0 |
# | **2** | .4 | 0 | .1 | .6 | .1 | 0 |
# | **3** | 0 | 0 | 0 | .1 | .3 | .2 |
# | **4** | 0 | 0 | 0 | .1 | .4 | .8 |
#
# <details><summary>Hint</summary>
#
# There are four peaks and three passes. Two of the passes are worth .1. One of these two parts a peak from another on the way to .9: there a V-path is turned round.
#
# </details>

# %% exercise-1-stub
pencil_skeleton = None  # for instance [(0, 0), (0, 1), ...]

exercises.check("05.1", pencil_skeleton)

# %% exercise-1-solution tags=["solution"]
# Peaks .9, .8, .6, .4. Passes: .5 (1, 2) parts .6 from .9, worth .1; .3 (1, 0) parts .4 from .9,
# worth .1; .3 (3, 4) parts .8 from .9, worth .5. Only the last survives. One of its sides leads to
# .8. The other leads to .6, which is cancelled: on over .5 and .7 to .9. Nothing leads through .4.
skeleton_solution = [(0, 0), (0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]

exercises.check("05.1", skeleton_solution)

# %% exercise-2 [markdown]
# ### 05.2 Two thresholds for two questions
#
# | .9 | .85 | .95 | .25 | .6 | .55 | .65 | .05 | .2 |
# |---|---|---|---|---|---|---|---|---|
#
# Two structures with bumps, a false bridge between them, and a speck at the end. Choose `(persistence, saddle_level)` so that of `exercises.PENCIL_ROW` exactly the two highest pixels .95 and .65 are left: two structures, each without its bumps.
#
# <details><summary>Hint</summary>
#
# What are the bumps worth? What is the bridge worth, and what goes with it? How high is the speck?
#
# </details>

# %% exercise-2-stub
thresholds = None  # for instance (0.5, 0.0)

exercises.check("05.2", thresholds)

# %% exercise-2-solution tags=["solution"]
# The bumps are worth .05 each, the bridge .4, the speck .15. A persistence of at least .05 and below
# .4 takes the bumps and keeps .65. (In floats .9 - .85 is a little more than .05: choose more.) A
# saddle level above .25, at most .65, cuts the bridge and drops the speck.
exercises.check("05.2", (0.1, 0.3))


# %% exercise-3 [markdown]
# ### 05.3 Change the method: cut while you simplify
#
# (Allow 20 minutes: the longest of the chapter.)
#
# Give `naive_skeleton` the second threshold: write a function of `image`, `persistence` and `saddle_level` that returns the mask of the skeleton. No branch may be left whose pass is below the level. What remains has to lie in the superlevel set at the level, and peaks that are worth more than `persistence` stay if they are not below it, even without a branch.
#
# <details><summary>Hint</summary>
#
# A copy of `naive_skeleton` needs three changes: when to cancel, which branches to keep, and which peaks. If you cancel a pass that is too low, arrows will lead across the valley.
#
# </details>

# %% exercise-3-stub
def cut_skeleton(image, persistence, saddle_level):
    """Return the mask of the skeleton at two thresholds."""
    return None


exercises.check("05.3", cut_skeleton)


# %% exercise-3-solution tags=["solution"]
def cut_skeleton_solution(image, persistence, saddle_level):
    """Cancel, draw and keep only what is not below the level."""
    (arrow, critical), value = gradient_field(image), worth(image)
    for p, q in sorted(critical, key=lambda edge: value[edge[0]][0]):
        depth, peak = value[p]
        if peak and depth <= persistence and image[p] >= saddle_level:  # change 1
            start, other = (p, q) if v_path(p, arrow)[-1] == peak else (q, p)
            way = [other, *v_path(start, arrow)]
            arrow.update(zip(way[1:], way, strict=False))
    mask = (image == image.max()) & (image >= saddle_level)
    for p, q in critical:
        depth, peak = value[p]
        if depth > persistence and image[p] >= saddle_level:  # change 2
            mask[tuple(np.transpose(v_path(p, arrow) + v_path(q, arrow)))] = True
        if peak and depth > persistence:  # change 3
            mask[peak] |= image[peak] >= saddle_level
    return mask


exercises.check("05.3", cut_skeleton_solution)

# %% quiz-text [markdown]
# ## Ten questions
#
# Answer first, then unfold: behind every answer stands why it is right, or what it mixes up.

# %% quiz
exercises.quiz("05")

# %% practice [markdown]
# ## In practice
#
# - **Cost.** The complex of a 256x256 image takes about a hundredth of a second, and grows linearly with the pixels; a skeleton for other thresholds, a thousandth. So look at several.
# - **Choose** the saddle level first, somewhat below the threshold at which you would cut a mask, then a small persistence against wrinkles; both on validation images.
# - **When it fails.** A side vessel that only gets fainter from its fork to its tip has no peak, hence no branch. So the skeleton stops short: look at the thick vessel at the right border of the picture, near row 210. Plateaus have no way up (section 6). One likelihood pixel of noise can move a V-path far, since each step trusts its highest neighbour; smooth first. Faint true vessels and dark bridges are not told apart (section 5).
# - **What critics say.** A line of steepest ascent from a pass need not look like a ridge anywhere nearby: López et al. (1999) compare such lines with local definitions of ridges. And thresholds are blunt: Gupta et al. (2023) estimate for each branch of the complex how sure it is, and let a person look at the doubtful ones.
# - **Not only here.** Cutting a skeleton at a value is no invention of ours: astronomers do so to the filaments of the cosmic web (the option `-trimBelow` of Sousbie's DisPerSE).
#
# ## Summary
#
# You built a gradient field with a pencil and in naive code and followed its V-paths (1), weighed branches and cancelled passes with peaks (2), saw naive code, library and GUDHI agree (3), met a false bridge that is the most persistent branch of a retina (4), and know why persistence keeps it and the saddle level cuts it, and at what price (5). You saw what eight bits leave of ridges (6), and the cells between them (7).
#
# ## Further reading
#
# - R. Forman, "Morse theory for cell complexes" (1998), [doi:10.1006/aima.1997.1650](https://doi.org/10.1006/aima.1997.1650): arrows, critical cells and cancellation, for any complex.
# - V. Robins, P. J. Wood and A. P. Sheppard, "Theory and algorithms for constructing discrete Morse complexes from grayscale digital images" (2011), [doi:10.1109/TPAMI.2011.95](https://doi.org/10.1109/TPAMI.2011.95): the gradient field of an image, pixel by pixel as in section 1.
# - O. Delgado-Friedrichs, V. Robins and A. Sheppard, "Skeletonization and partitioning of digital images using discrete Morse theory" (2015), [doi:10.1109/TPAMI.2014.2346172](https://doi.org/10.1109/TPAMI.2014.2346172): skeletons and patches from one field.
# - T. K. Dey, J. Wang and Y. Wang, "Graph reconstruction by discrete Morse theory" (2018), [arXiv:1803.05093](https://arxiv.org/abs/1803.05093): simplification by persistence, with guarantees.
# - X. Hu, Y. Wang, L. Fuxin, D. Samaras and C. Chen, "Topology-aware segmentation using discrete Morse theory" (2021), [arXiv:2103.09992](https://arxiv.org/abs/2103.09992): the loss on these ridges.
# - S. Gupta, Y. Zhang, X. Hu, P. Prasanna and C. Chen, "Topology-aware uncertainty for image segmentation" (2023), [arXiv:2306.05671](https://arxiv.org/abs/2306.05671): how sure each branch is.
# - T. Sousbie, "The persistent cosmic web and its filamentary structure" (2011), [arXiv:1009.4015](https://arxiv.org/abs/1009.4015): the same theory between galaxies.
# - A. M. López, F. Lumbreras, J. Serrat and J. J. Villanueva, "Evaluation of methods for ridge and valley detection" (1999), IEEE Transactions on Pattern Analysis and Machine Intelligence 21: what else one may call a ridge.
# - X. Hu, "Learning Topological Representations for Deep Image Understanding" (2024), [arXiv:2403.15361](https://arxiv.org/abs/2403.15361): the dissertation that this workbook follows.
#
# ## Next
#
# [Chapter 06](06_train_with_a_morse_loss.ipynb) makes a loss of these ridges; [chapter 07](07_learn_a_distribution_over_structures.ipynb) asks how likely each of them is. Before you go on, **shut this kernel down** (menu *Kernel*, *Shut Down Kernel*): it holds memory that the next chapter can use.
