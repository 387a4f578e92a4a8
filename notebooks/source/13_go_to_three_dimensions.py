# %% c00 [markdown]
# # Go to three dimensions
#
# **At the end** you can walk through a volume slice by slice, point at a loop of its skeleton in space, and say which voxel closes it.
#
# ![Left: one slice of a synthetic volume of bright tubes, the voxels above the threshold in yellow, skeleton voxels as orange dots, and a green diamond on the voxel that closes a loop. Right: the whole skeleton in space in a box, orange lines with loops and loose pieces, and a black frame where the slice lies.](../images/13.png)
#
# **Time:** 35 minutes to read, 55 with exercises.
#
# **You need** [chapter 02](../02_measure_shape_with_persistence.ipynb); for sections 6 to 8 also [03](../03_train_with_a_topological_loss.ipynb), [04](../04_warp_masks_without_tearing.ipynb) and [05](../05_read_ridges_with_discrete_morse_theory.ipynb), each for one section.
#
# **You will be able to**
#
# - count the components, tunnels and cavities of a volume with 6 and with 26 neighbours, by hand and in code;
# - read its persistence pairs, and say why 26 neighbours need no second theory;
# - decide when a voxel is simple, and warp a mask of tubes;
# - compute the skeleton of a volume at two thresholds;
# - take steps down a topological loss that closes tunnels.

# %% c01 tags=["parameters"]
VOLUME = "tubes"  # made from the seed, no network; or "vesselnn_3d", real vessels, downloaded once
SEED = 8  # which tubes are made
THRESHOLD, PERSISTENCE = 0.5, 0.1  # of masks; of skeletons and diagrams
STEPS, RATE = 30, 20.0  # of the descent on one likelihood

# %% c02
from itertools import combinations

import gudhi
import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.ndimage import generate_binary_structure, label
from scipy.special import expit
from skimage.filters import gaussian
from skimage.measure import euler_number

from toposeg_lite import exercises, explorers, figures
from toposeg_lite.data import load_dataset, synthetic
from toposeg_lite.losses import HomotopyWarpingLoss, MorseLoss, TopologicalLoss
from toposeg_lite.topology import betti_numbers, homotopy_warp, persistence_pairs, simple_points
from toposeg_lite.workbook.studies import read_runs
from toposeg_lite.workbook.studies.runs import REFERENCE_RUNS

# %% c03 [markdown]
# ## Predict first
#
# Take a solid cube of 3x3x3 voxels. Foreground is what is there; what you drill away becomes background. Write down, before you go on, how many **components**, **tunnels** and **cavities** are left
#
# 1. when the voxel in the middle is gone;
# 2. when the middle of one side is gone, too;
# 3. when the middle of the opposite side is gone as well, so that one can look through;
# 4. when the middles of all six sides are gone.
#
# <details><summary>Answer</summary>
#
# (1, 0, 1), (1, 0, 0), (1, 1, 0) and (1, 5, 0). The cavity of 1. gets a way out in 2., and what is left is a cup; a cup is a bent plate and has no hole at all. Each further window adds one tunnel: six windows, five tunnels.
#
# </details>
#
# ## 1. By hand
#
# In three dimensions there are three Betti numbers. $b_0$ counts the **components** of the foreground. $b_2$ counts the **cavities**, that is, the components of the background that the outside cannot reach. $b_1$ counts the **tunnels**: how many independent loops of foreground there are that cannot be shrunk or moved into each other within it. Components and cavities one can label. Tunnels one cannot: a tunnel is not a set of voxels.

# %% c04
RING, SHELL = np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)
RING[1] = [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
SHELL[1, 1, 1] = False
PIPE, CAGE = SHELL.copy(), SHELL.copy()
PIPE[:, 1, 1] = False
CAGE[[0, 2, 1, 1, 1, 1], [1, 1, 0, 2, 1, 1], [1, 1, 1, 1, 0, 2]] = False
SHAPES = {"ring": RING, "shell": SHELL, "pipe": PIPE, "cage": CAGE}
figure = Figure(figsize=(11, 3.1))
for place, (name, mask) in enumerate(SHAPES.items(), 1):
    figures.voxel_block(mask, title=name, ax=figure.add_subplot(1, 4, place, projection="3d"))
figure.subplots_adjust(left=0.01, right=0.97, wspace=0.25)
text = "A ring of 8 voxels; a shell of 26 around a dark middle; a pipe; a cage of 20."
figures.show(figure, text)


# %% c05 [markdown]
# A way to count tunnels all the same is **Euler's**. With 6 neighbours, let every voxel be a *vertex*, join neighbours by an *edge*, four voxels in a square by a *square*, eight in a block by a *cube*. Then, whatever the shape,
#
# $$\chi = \text{vertices} - \text{edges} + \text{squares} - \text{cubes} = b_0 - b_1 + b_2.$$
#
# Count the shell: 26 vertices. The whole cube has 54 edges, of which 6 run to the middle: 48. It has 36 squares, of which 12 hold the middle: 24. All 8 cubes hold it: 0.
#
# | | vertices | edges | squares | cubes | $\chi$ | $b_0$ | $b_2$ | so $b_1 = b_0 + b_2 - \chi$ |
# |---|---|---|---|---|---|---|---|---|
# | ring | 8 | 8 | 0 | 0 | 0 | 1 | 0 | 1 |
# | shell | 26 | 48 | 24 | 0 | 2 | 1 | 1 | 0 |
# | pipe | 24 | 40 | 16 | 0 | 0 | 1 | 0 | 1 |
# | cage | 20 | 24 | 0 | 0 | -4 | 1 | 0 | 5 |
#
# Three warnings:
#
# - **Slices lie.** Look at the ring from the side: its slices show one bar, then two dots, then one bar. No slice has a hole, and one has a component too many. Betti numbers of slices say nothing about those of the volume, so a 2D loss on slices does not see the topology of a vessel net.
# - **6 goes with 26.** Two voxels that share only an edge or a corner are connected with 26 neighbours and not with 6, and for the background it is the other way round. With 26 neighbours a voxel is a *closed cube*, and $\chi$ counts its corners, edges, sides and insides, each once.
# - **18 goes with nothing simple.** Voxels that share a side or an edge (`connectivity=2`) would need a background with rules of its own. The library refuses it.
#
# ## 2. The same in naive code
#
# With 6 neighbours a cell is there if *all* of its voxels are; with 26 neighbours (closed cubes) a corner, edge or side is there if *any* voxel at it is. So both counts are one loop over the directions in which a cell extends. Components and cavities are labels: of the foreground, and of the background with the dual connectivity, less one for the outside.

# %% c06
def euler(mask, connectivity):
    """Count the cells of all dimensions with alternating signs."""
    total = 0
    for axes in (axes for k in range(4) for axes in combinations(range(3), k)):
        block = np.pad(mask, 1)
        for axis in axes:  # join each voxel with the next one along the axis
            one, two = block.take(range(block.shape[axis] - 1), axis), np.delete(block, 0, axis)
            block = one & two if connectivity == 1 else one | two
        total += (-1) ** (len(axes) if connectivity == 1 else 3 - len(axes)) * int(block.sum())
    return total


def naive_betti(mask, connectivity=3):
    inside, outside = (generate_binary_structure(3, k) for k in (connectivity, 4 - connectivity))
    components, cavities = label(mask, inside)[1], label(~np.pad(mask, 1), outside)[1] - 1
    return components, components + cavities - euler(mask, connectivity), cavities


# %% c07 [markdown]
# ## 3. Pencil, naive code, library, scikit-image and GUDHI agree
#
# [GUDHI](https://gudhi.inria.fr) builds a complex and computes its homology; [scikit-image](https://scikit-image.org) looks the Euler number up in a table of 2x2x2 blocks. Neither knows our code.

# %% c08
def gudhi_cubes(image, connectivity=3):  # GUDHI works with sublevel sets: negate
    if connectivity == 1:
        return gudhi.CubicalComplex(vertices=-image)
    return gudhi.CubicalComplex(top_dimensional_cells=-image)


def gudhi_betti(mask, connectivity=3):
    cubes = gudhi_cubes(np.pad(mask, 1) * 1.0, connectivity)
    cubes.compute_persistence(min_persistence=-1)
    return tuple(cubes.persistent_betti_numbers(-1, -0.5)[:3])


generator = np.random.default_rng(0)
noise = [generator.random((6, 7, 8)) < share for share in (0.2, 0.4, 0.6, 0.8) for _ in range(10)]
for k, name in ((1, "6 neighbours"), (3, "26 neighbours")):
    print(f"{name}:", *(f"{shape} {naive_betti(mask, k)}" for shape, mask in SHAPES.items()))
    masks = [*SHAPES.values(), *noise]
    library = sum(betti_numbers(mask, connectivity=k) == naive_betti(mask, k) for mask in masks)
    other = sum(gudhi_betti(mask, k) == naive_betti(mask, k) for mask in masks)
    table = sum(euler_number(mask, connectivity=k) == euler(mask, k) for mask in masks)
    print(f"  agree on {len(masks)} masks: library {library}, GUDHI {other}, scikit-image {table}")

# %% c10 [markdown]
# ## 4. Read the pairs of a volume
#
# As in chapter 02, let a threshold fall over a likelihood and note births and deaths; now there are three kinds of them.
#
# - A **component** is born at a peak and dies where it meets an older one.
# - A **tunnel** is born with the voxel that closes a loop, and dies with the one that completes a *membrane* across it.
# - A **cavity** is born with the voxel that closes its wall, and dies when its last voxel is filled.
#
# Do it with a pencil for the cube below: its twelve edges are .9, four sides .8, and the other two .5 and .4. The middle is .1. The yellow voxels are at or above .8.

# %% c11
CUBE = np.where(CAGE, 0.9, 0.8)
CUBE[0, 1, 1], CUBE[2, 1, 1], CUBE[1, 1, 1] = 0.5, 0.4, 0.1
picture = figures.slice_values(CUBE, mask=CUBE >= 0.8)
text = "The three slices of a cube of likelihoods; yellow is at or above .8: a pipe."
figures.show(picture, text)


# %% c12 [markdown]
# | threshold | shape | $b_0, b_1, b_2$ | what happens | pairs that end |
# |---|---|---|---|---|
# | .9 | cage | 1, 5, 0 | one component and five tunnels are born | |
# | .8 | pipe | 1, 1, 0 | four windows close: four membranes | tunnels (.9, .8), four times |
# | .5 | cup | 1, 0, 0 | the fifth window closes | tunnel (.9, .5) |
# | .4 | shell | 1, 0, 1 | the sixth closes the wall: a cavity is born | |
# | .1 | cube | 1, 0, 0 | the middle is filled | cavity (.4, .1) |
# | 0 | | | the first component never dies | component (.9, 0) |
#
# **The other side.** How does the library find tunnels with 26 neighbours, where any corner connects? It looks at the background instead, which then has 6. Seen from there, everything is turned round: the threshold rises, cavities of the foreground are components of the background, and **a tunnel is a place where a loop of background passes through a loop of foreground**, like two links of a chain; both live between the same two voxels. So births and deaths change places, dimension 0 and 2 change places, and tunnels stay tunnels. That is *Alexander duality*. Exercise 13.3 turns it into a few lines.
#
# One convention is left: all is counted modulo 2 here, and by GUDHI modulo 11 unless it is told otherwise. The last line of the next cell is a volume of noise in which two tunnels exchange their deaths for that reason. How many tunnels there are at a threshold is the same for both.
#
# <details><summary>Modulo 2: what a Möbius band does</summary>
#
# The edge of a Möbius band is one loop, and it winds twice round the band. As a cycle it is twice the loop along the middle. Twice is 0 modulo 2, and not 0 modulo 11: if one counts modulo 2, the band fills its edge, and if one counts modulo 11, it does not. Where noise happens to hold such a band, two tunnels exchange their deaths.
#
# </details>

# %% c13
def rows(pairs):
    return sorted(zip(pairs.dimension.tolist(), pairs.birth, pairs.death, strict=True))


def gudhi_rows(image, connectivity, modulus):
    found = gudhi_cubes(image, connectivity).persistence(modulus, min_persistence=0)
    return sorted((k, -b, max(-d, 0.0)) for k, (b, d) in found if b < d)


print(*(f"H{k}({b:.1f}, {d:.1f})" for k, b, d in rows(persistence_pairs(CUBE))))
white = generator.random((9, 10, 11)), np.random.default_rng(3).random((18, 20, 20, 20))[17]
for name, image, k in (("cube", CUBE, 3), ("noise", white[0], 3), ("a band", white[1], 1)):
    ours = rows(persistence_pairs(image, connectivity=k))
    differ = [len(set(ours) - set(gudhi_rows(image, k, modulus))) for modulus in (2, 11)]
    words = f"{differ[0]} modulo 2, {differ[1]} modulo 11"
    print(f"{name}: {len(ours)} pairs; GUDHI differs in {words}")

# %% c14 [markdown]
# ## 5. A volume of tubes
#
# Now a volume of 32 slices of 48x48 voxels: capillaries as a microscope shows them, darker with depth, noisy, and fading in places. With `VOLUME = "tubes"` it is made by the library, so the truth is exact and no network is needed; **what is stored in this notebook is from there**. With `"vesselnn_3d"` it is a piece of a real two-photon volume of a mouse brain (Teikari et al. 2016), 25 slices, which is downloaded when it is first used; the sentences below then no longer fit.
#
# A small formula stands in for a network. With $\bar v_s$ for the volume smoothed over $s$ voxels, take the local contrast $c = \bar v_1 / \bar v_{12}$, with mean $m$ and standard deviation $\sigma$, and
#
# $$f = \mathrm{expit}\Big(\frac{c - m}{\sigma} - 2\Big).$$

# %% c15
if VOLUME == "tubes":
    sample, corner = synthetic.tubes((32, 48, 48), seed=SEED, spacing=13, gaps=6), 0
else:
    sample, corner = load_dataset(VOLUME).train[3], 200
piece = np.s_[:32, corner : corner + 48, corner : corner + 48]
volume, truth = sample.image[0][piece] * 1.0, sample.mask[piece]
contrast = gaussian(volume, 1) / gaussian(volume, 12)
likelihood = expit((contrast - contrast.mean()) / contrast.std() - 2)
pairs = persistence_pairs(likelihood, connectivity=1, min_persistence=PERSISTENCE)
print(f"{VOLUME}, {truth.shape}: the truth has Betti numbers {naive_betti(truth)}")
figure, axes = figures.parts(3)
figures.volume_diagram(pairs, threshold=THRESHOLD, ax=axes[2])
for ax, name, some in ((axes[0], "volume", volume), (axes[1], "truth", truth)):
    figures.image_with_pairs(some.max(0), title=f"{name}, seen through", ax=ax)
text = f"Volume and truth from above; diagram of {len(pairs)} pairs above {PERSISTENCE}."
figures.show(figure, text)

# %% c16 [markdown]
# The truth is one component with three tunnels. The diagram has three tunnels, too, far from the diagonal: the network that we pretend to have sees all three loops, but two of them only faintly, and at threshold .5 they are open. The three filled blue dots are the pieces into which the net falls at .5: the essential class, and two that one dark voxel each, their death, keeps apart from it.
#
# The truth, seen through from above, is full of rings; only three of them are tunnels, the others are tubes that pass behind one another. A projection adds rings as slices lose them.
#
# No cavity: tubes are filled. If a diagram of vessels shows persistent cavities, the walls were labelled instead of the vessels, or bright walls segmented around dark lumina.
#
# ### And real vessels?
#
# The same formula on the piece of the mouse brain that `VOLUME = "vesselnn_3d"` takes. (The authors call these volumes freely available, but there is no licence. So nothing is stored here that was photographed or drawn by others, only what was counted; `python tools/draw_real_vessels.py` counts it again, and with the data on your disk the cells above show you the vessels.)
#
# ![Two persistence diagrams on the same axes, and a histogram. Left, tubes: 19 components and three tunnels, two of them open at one half. Middle, real vessels: 8 components and no tunnel at all, though the truth has four. Right, how many voxels the 565 components of all expert masks of the data set have: 47 of them have at most four, the largest more than a million.](../images/13-real.png)
#
# Left and middle differ where it matters: on the real vessels there is no triangle. The truth of that piece has four tunnels, and the likelihood shows none of them above persistence .1. What a likelihood does not show, no loss of this workbook can close: it takes a network that has learned what vessels look like where they fade. On the right is the other surprise of real data, the labels: one component in twelve of the expert masks is a speck of at most four voxels.
#
# ## 6. The skeleton of a volume
#
# The Morse complex of chapter 05 works in a volume as it does in an image: arrows run to the highest neighbour, passes join two peaks or close a loop, and two thresholds simplify and cut. The library computes it with 6 neighbours only (`connectivity=1`), so here masks and numbers have 6 neighbours, too.
#
# With a running kernel the picture is live. Walk through the **slices**; turn the skeleton with the mouse, or click on it to go to that slice. *Threshold* moves the superlevel set (yellow) and is the skeleton's saddle level, too: what is below it is cut. *Persistence above*, among *More controls*, simplifies. *Marked feature* steps through the pairs, the most persistent first, and leads to the slice of the birth voxel. *Your own volume* takes a TIFF with many pages; or set `explorer.image = array`.
#
# Find: the three tunnels, and the slice in which each is closed. The threshold at which the last one closes; in how many pieces is the net then? What *Persistence above* 0 adds to the skeleton.

# %% c17 tags=["end-product"]
explorer = explorers.VolumeExplorer(likelihood, min_persistence=PERSISTENCE)
for t in (0.2, 0.3, 0.4, 0.5):
    explorer.threshold, betti = t, betti_numbers(likelihood >= t, connectivity=1)
    graph = explorer.skeleton
    parts = figures.count_parts(graph)
    loops = len(graph.edges) - len(graph.nodes) + parts
    print(f"at or above {t}: Betti {betti}; skeleton: parts {parts}, loops {loops}")
explorer.threshold = 0.3
tunnels = np.flatnonzero(explorer.shown.dimension == 1)
explorer.selected = int(tunnels[0]) + 1 if len(tunnels) else 1
explorers.show(explorer)

# %% c18 [markdown]
# At each of the four thresholds the skeleton has as many loops as the mask has tunnels. At .2 it has one part less than the mask has components: one of them is a speck that is worth at most .1. The marked voxel is the **weakest link** of its ring, the one that closes it: with .58 it is bright enough at threshold .5. The purple cross in space, in the middle of the dark, is where the last hole of a membrane across the ring would be filled, at .07.
#
# The other two loops close at .47 and at .24. So the threshold must come down to .24 for all three tunnels, and at that level there are four components instead of one. There is no threshold at all at which the mask has the Betti numbers of the truth. The skeleton is a way to *look* at that: turn it and see which loose end lies opposite which.
#
# One warning. Steps between 6 neighbours are stairs: in a slanting tube the skeleton is up to $\sqrt 3$ times as long as the tube. Do not measure lengths on it.
#
# ## 7. Warp in space
#
# A voxel is **simple** if its flip changes no component, no tunnel and no cavity. As in chapter 04, its neighbours decide, now 26 of them, and again two counts have to be one: the foreground components that touch it, and the background components. But there is one subtlety. For foreground with 26 neighbours, the background steps through faces. **Count its components only among the 18 neighbours that share a face or an edge with the voxel.** The eight corners must be left out: a way of background over a corner would lead *around* a ring of foreground instead of through it, and hide that the voxel closes a tunnel (Bertrand and Malandain 1994). Whoever carries the count of chapter 04 over to "all neighbours" gets it wrong, and the next cell says how often. `SHELL` stands for all cells but the middle. To judge, the cell asks for the Betti numbers with and without the voxel.

# %% c19
FACES, EIGHTEEN, ALL = (generate_binary_structure(3, k) for k in (1, 2, 3))


def is_simple(cells, room=EIGHTEEN):
    """Return whether the middle touches one component of each, foreground and background."""
    back = label(~cells & room & SHELL, FACES)[0]
    return label(cells & SHELL, ALL)[1] == 1 == len(np.setdiff1d(back[FACES], 0))


some = generator.random((1000, 3, 3, 3)) < 0.5
kept = [naive_betti(cells & SHELL) == naive_betti(cells | ~SHELL) for cells in some]
verdicts = {n: [is_simple(c, room) for c in some] for n, room in ((18, EIGHTEEN), (26, ALL))}
verdicts["library"] = [simple_points(cells)[1, 1, 1] for cells in some]
wrong = {n: int(np.not_equal(found, kept).sum()) for n, found in verdicts.items()}
print(f"{sum(kept)} of {len(some)} are simple; wrong verdicts: {wrong}")

# %% c20 [markdown]
# Now warp the prediction towards the truth, and the truth towards the prediction. The Betti numbers must stay, and what is left over are the critical voxels. The picture shows the slice that holds most of them.

# %% c21
prediction = likelihood >= THRESHOLD
print(f"{(prediction != truth).sum()} voxels differ")
forth, back = homotopy_warp(prediction, truth), homotopy_warp(truth, prediction)
figure, axes = figures.parts(3)
for mask, warp, name in ((prediction, forth, "prediction"), (truth, back, "truth")):
    print(f"{name} warped: {warp.critical.sum()} critical;", *map(gudhi_betti, (mask, warp.warped)))
here = int(back.critical.sum((1, 2)).argmax())
for ax, mask, goal, critical, name in (
    (axes[0], prediction, truth, None, "prediction, goal: truth"),
    (axes[1], forth.warped, truth, forth.critical[here], "the same, warped"),
    (axes[2], back.warped, prediction, back.critical[here], "truth, warped"),
):
    figures.warp_masks(mask[here], goal[here], critical=critical, title=name, ax=ax)
text = f"Slice {here} of prediction and truth before and after the warps to each other."
figures.show(figure, text)

# %% c22 [markdown]
# Of 1656 voxels that differ, 57 are critical in one direction and 15 in the other. All others are questions of width: green at the rims. In the slice of the picture two places are left. At row 17, near the left border, a short tube is cut off from the rest: warped forth, a plate of voxels across the tube stays between the two pieces; warped back, the truth keeps a thread from one to the other. Near row 34, column 22, an open tunnel looks much the same: here the thread keeps the loop. From one slice nobody could say which of the two is a lost piece and which an open tunnel; in the volume the two differ in $b_0$ and in $b_1$.
#
# ## 8. Steps down a topological loss
#
# The loss of chapter 03 needs no change and no options: births and deaths of three dimensions instead of two are pulled to (1, 0) if their feature is matched, by its place, to one of the truth, or else to the diagonal. Play it on the logits themselves, without any network. Predict: at how many of the 73728 voxels will it pull, and at how many if it leaves alone what is worth at most .1?
#
# Beside it stand the other losses of this workbook on the same start: those of chapters 04 (warping) and 06 (Morse skeleton).

# %% c23
loss, strong = TopologicalLoss(), TopologicalLoss(min_persistence=PERSISTENCE)
logits, target = torch.tensor(likelihood).logit()[None, None], torch.tensor(truth)[None]
for other in (loss, strong, HomotopyWarpingLoss(), MorseLoss()):
    (pull,) = torch.autograd.grad(other(logits.requires_grad_(), target), logits)
    print(f"{type(other).__name__}: pulls at {int((pull != 0).sum())} of {pull.numel()} voxels")
for step in range(STEPS + 1):
    value = loss(logits.requires_grad_(), target)
    (pull,) = torch.autograd.grad(value, logits)
    after = logits.detach().sigmoid()[0, 0].numpy() >= THRESHOLD
    if step % 10 == 0:
        new = (after & ~prediction & truth).sum()
        gone = (prediction & ~after & truth).sum()
        print(f"step {step:2}: loss {value:.3f}, Betti {betti_numbers(after)}", end="; ")
        print(f"{(after ^ prediction).sum()} flipped: {new} true voxels found, {gone} lost")
    logits = logits.detach() - RATE * pull

# %% c24 [markdown]
# At 3548 voxels of 73728, births and deaths. Nearly all of these belong to grains of noise, each of them pulled a little to the diagonal; the pairs that are worth more than .1, second line, have 41. The Morse loss pulls at the whole skeleton, twelve times as many as these, and still at fewer than one voxel in a hundred.
#
# After 20 steps the Betti numbers are those of the truth, and stay. Look at how it came about: 22 voxels have flipped. Eight true voxels were *found*: five close the two open tunnels, three join a piece of 445 voxels to the net. But 14 true voxels were *lost*: the third component, the short tube at the left border, was not joined but deleted. All three tunnels lie where the truth has them, so they are matched, even the one that is born at .24. Of the components only the brightest is, for the truth is one. Chapter 03 says what becomes of the others. An unmatched pair is pulled to the middle of the diagonal. For the large piece, (.92, .14), this is .53, above the threshold: joined. For the short tube, (.66, .14), it is .40, below it: gone. Betti numbers cannot tell the one from the other; critical voxels can (section 7), and exercise 03.3 changes the target so that nothing is removed.
#
#
# ### The same losses in a training
#
# A descent on one likelihood is no network. `notebooks/studies/volumes.yml` trains 3D U-Nets on real vessels, `vesselnn_3d`: crops of 16 x 64 x 64 voxels of five volumes, a parent of 1500 steps for each of three seeds, then the control and each loss for 200 more. The weights were chosen on two validation volumes, and two test volumes were scored once. Two volumes are few: no test can say more than the seeds do. Below are means over both; the Betti errors are counts, unmatched.

# %% volumes
run = read_runs(REFERENCE_RUNS / "volumes")["vesselnn_3d"]
keys = ["dice", "betti_0_error", "betti_1_error", "betti_2_error"]
means = run.scores.groupby(["network", "seed"], sort=False)[keys].mean()
cost = run.cost.groupby("network")["share_of_loss"].mean()
table = means.groupby("network", sort=False).mean().rename(columns=run.metrics).round(3)
table["share of time"] = [f"{cost[name]:.0%}" for name in table.index]
control = means.xs("control")
for name in run.arms:
    fewer = (means.xs(name)[keys[1:]] < control[keys[1:]]).sum()
    words = ", ".join(f"{run.metrics[key]} {fewer[key]}" for key in keys[1:])
    print(f"{name}: of {len(run.seeds)} seeds fewer errors than the control with: {words}")
table

# %% volumes-after [markdown]
# One loss helps: the topological one has 46 in place of 65 Betti-0 errors, 81 in place of 156 Betti-1 and 20 in place of 59 Betti-2 errors, fewer of each with each seed, for 1.3 points of Dice. clDice and skeleton recall leave the number of pieces about where it was; warping and Morse, both on Dice as in the study of chapter 10, make all three counts worse. In space the losses are dearer, too: a quarter of the training's time goes into the topological one, more into Morse.
#
# ## Exercises
#
# Each exercise has a stub to fill in, a checker that names what may have gone wrong, a hint, and a solution in [the solved notebook](./13_go_to_three_dimensions.ipynb).
#
# ### 13.1 Count with a pencil
#
# Write down $(b_0, b_1, b_2)$ of `exercises.PENCIL_VOLUME` with 6 and with 26 neighbours for the foreground: a list of two tuples, in this order.
#
# ```
# slice 0     slice 1     slice 2
#
# # . # .     # # # .     # # # .
# # # # .     # . # .     # # # .
# # # # .     # # # .     # . # .
# . . . .     . . . #     . . . .
# ```
#
# <details><summary>Hint</summary>
#
# It is a shell with something missing and something added. Where the foreground has 6 neighbours, the background has 26: can the middle see the two gaps? And does the single voxel touch the shell?
#
# </details>

# %% c25
pencil_betti = None  # for instance [(1, 0, 0), (1, 0, 0)], with 6 and with 26 neighbours

exercises.check("13.1", pencil_betti)

# %% c26 tags=["solution"]
# With 6 neighbours the background passes over edges: the middle sees both gaps, which makes a pipe,
# and the single voxel is a component of its own. With 26 neighbours the voxel belongs to the shell,
# the background passes through faces only, and the middle is walled in on all six.
exercises.check("13.1", [(2, 1, 0), (1, 0, 1)])

# %% c27 [markdown]
# ### 13.2 Build one of each
#
# Build a mask of at most 5x5x5 voxels with one component, one tunnel and one cavity: Betti numbers (1, 1, 1), with 6 *and* with 26 neighbours.
#
# <details><summary>Hint</summary>
#
# The shell has (1, 0, 1). A bucket has a handle.
#
# </details>

# %% c28
my_volume = None  # for instance np.zeros((3, 4, 5), bool), with some voxels set to True

exercises.check("13.2", my_volume)

# %% c29 tags=["solution"]
# A shell, and in the plane of slice 1 a handle at its side: the tunnel runs through (1, 1, 3).
my_volume_solution = np.zeros((3, 3, 5), bool)
my_volume_solution[:, :, :3] = SHELL
my_volume_solution[1, :, 3:] = [[1, 1], [0, 1], [1, 1]]

exercises.check("13.2", my_volume_solution)


# %% c30 [markdown]
# ### 13.3 Change the method: 26 from 6
#
# Section 4 says that 26 neighbours are 6 neighbours seen from the other side. Make it true: write a function that takes an image and returns the list of all its pairs `(dimension, birth, death)` with 26 neighbours, but calls `persistence_pairs` with `connectivity=1` only.
#
# <details><summary>Hint</summary>
#
# Negate the image: `1 - image`. The outside, background so far, becomes foreground that is always there: `border="closed"`. Then translate every pair. One of those that come out has no counterpart; its `birth_index` is -1 and its dimension 0.
#
# </details>

# %% c31
def pairs_26(image):
    """Return [(dimension, birth, death), ...] with 26 neighbours, computed with 6."""
    return None


exercises.check("13.3", pairs_26)


# %% c32 tags=["solution"]
def pairs_26_solution(image):
    """Turn everything round: values, dimensions, births and deaths; drop the outside itself."""
    other = persistence_pairs(1 - image, connectivity=1, border="closed")
    found = zip(other.dimension, other.birth, other.death, other.birth_index, strict=True)
    return [(2 - k, 1 - d, 1 - b) for k, b, d, index in found if k > 0 or index >= 0]


exercises.check("13.3", pairs_26_solution)

# %% quiz-text [markdown]
# ## Ten questions
#
# Answer first, then unfold: behind every answer stands why it is right, or what it mixes up.

# %% quiz
exercises.quiz("13")

# %% c33 [markdown]
# ## In practice
#
# - **Cost.** For these 74000 voxels, pairs and Morse complex take one to two tenths of a second each, another skeleton a few hundredths, a warp about one hundredth, a step down the loss one or two tenths. A noisy volume of a million voxels (64x128x128) takes seconds for its pairs: components and cavities are found in about linear time, but tunnels need a matrix to be reduced, which costs more than linearly. Smooth first, crop, or give the loss a `window`. The likelihood of a trained network is easier than ours, for most of it is next to nothing, and in volumes the loss looks only at what is above a `floor` of .001, or in the truth; ours is nowhere below .04.
# - **Voxels are not cubes.** In microscopes they are often several times as deep as wide. Which voxels touch does not change by that, but smoothing and lengths do: smooth with a width for each axis.
# - **Thin stacks** cut most loops open: a vessel that leaves through the top and returns closes no tunnel. `border="closed"` surrounds the volume with a frame through which it does; say which of the two you counted.
# - **When it fails.** Labels that were painted slice by slice hold specks and slits that no vessel has: in the expert masks of `vesselnn_3d` all 9 cavities, and 47 of 565 components, are at most four voxels. Count such things before you train a network to reproduce them. And section 8: the numbers may be right, and the tube gone.
# - **On real vessels** (`VOLUME = "vesselnn_3d"`) the formula is too weak (section 5). In our run the loss joined two pieces and closed no tunnel. It mends what a network sees faintly, not what it does not see.
# - **What critics say.** Berger et al. (2024) find that connectivity is often chosen without regard to the structure and left unsaid, and that artefacts in the labels are taken for topology. With 6 and 26 to choose from, a Betti number without its connectivity is no number.
#
# ## Summary
#
# You counted components, tunnels and cavities by hand and by Euler's formula (1), in naive code (2), and saw library, scikit-image and GUDHI agree (3). You read the three kinds of pairs, and know what duality and "modulo 2" mean (4). You saw the weak places of a net of tubes in its diagram (5) and in space (6), found out when a voxel is simple, and warped (7), stepped down a topological loss until the tunnels were closed, and read what the losses did to networks (8).
#
# ## Further reading
#
# - T. Y. Kong and A. Rosenfeld, "Digital topology: introduction and survey" (1989), [doi:10.1016/0734-189X(89)90147-3](https://doi.org/10.1016/0734-189X%2889%2990147-3): 6 and 26, and the Euler number of a volume.
# - G. Bertrand and G. Malandain, "A new characterization of three-dimensional simple points" (1994), [doi:10.1016/0167-8655(94)90046-9](https://doi.org/10.1016/0167-8655%2894%2990046-9): the two counts of section 7, and why 18.
# - A. Garin, T. Heiss, K. Maggs, B. Bleile and V. Robins, "Duality in persistent homology of images" (2020), [arXiv:2005.04597](https://arxiv.org/abs/2005.04597): the other side, proved.
# - V. Robins, P. J. Wood and A. P. Sheppard, "Theory and algorithms for constructing discrete Morse complexes from grayscale digital images" (2011), [doi:10.1109/TPAMI.2011.95](https://doi.org/10.1109/TPAMI.2011.95): the complex of section 6, made for volumes of porous rock.
# - P. Teikari, M. Santos, C. Poon and K. Hynynen, "Deep learning convolutional networks for multiphoton microscopy vasculature segmentation" (2016), [arXiv:1606.02382](https://arxiv.org/abs/1606.02382): the real volumes.
# - A. H. Berger et al., "Pitfalls of topology-aware image segmentation" (2024), [arXiv:2412.14619](https://arxiv.org/abs/2412.14619): which connectivity, which labels, which metric.
# - X. Hu, "Learning Topological Representations for Deep Image Understanding" (2024), [arXiv:2403.15361](https://arxiv.org/abs/2403.15361): the dissertation that this workbook follows.
#
# ## Next
#
# [Chapter 14](14_use_it_in_your_own_project.ipynb) takes all this into your own project. [Chapter 09](../09_run_a_full_training.ipynb) trains a network on volumes, too: choose the data set `tubes`, or `vesselnn_3d`. Before you go on, **shut this kernel down** (menu *Kernel*, *Shut Down Kernel*): it holds memory that the next chapter can use.
