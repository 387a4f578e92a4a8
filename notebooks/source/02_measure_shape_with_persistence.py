# %% title [markdown]
# # Measure shape with persistence
#
# **At the end** you can point at any dot of the diagram in the middle and say what it is, and which two pixels of the photograph made it.
#
# ![Left: vessels of a retina, the likelihood in grey, the pixels at or above 0.50 in yellow, and the birth and death pixel of the largest loop. Middle: persistence diagram with components as blue circles and holes as vermilion triangles, the marked loop in a ring. Right: the same features as bars.](../images/02.png)
#
# **Time:** 25 minutes to read, 55 with exercises.
#
# **You need** NumPy, and [chapter 01](01_see_images_as_spaces.ipynb): components, holes, neighbours.
#
# **You will be able to**
#
# - compute the persistence diagram of a 5x5 image with a pencil;
# - read a diagram: births, deaths, the diagonal, the essential class;
# - say what changes with 4 or 8 neighbours, with sub- or superlevel sets, and at the border;
# - count the components and holes of an image at *every* threshold at once;
# - say which dots noise can make, and which it cannot.

# %% parameters tags=["parameters"]
SEED = 0  # of the noise
THRESHOLD = 0.5  # the superlevel set that is shown
NOISE = 0.05  # the largest change of a pixel in the section on stability

# %% setup
from importlib.metadata import version

import gudhi
import numpy as np
from matplotlib.figure import Figure

from toposeg_lite import exercises, explorers, figures
from toposeg_lite.data import photos
from toposeg_lite.topology import betti_numbers, persistence_pairs

for name in ("toposeg-lite", "numpy", "gudhi"):
    print(f"{name}: version {version(name)}")

# %% predict [markdown]
# ## Predict first
#
# A network has looked at 25 pixels and says how likely each of them is to be vessel:
#
# | | 0 | 1 | 2 | 3 | 4 |
# |---|---|---|---|---|---|
# | **0** | .9 | .8 | .4 | 0 | 0 |
# | **1** | .7 | .2 | .8 | 0 | 0 |
# | **2** | .8 | .5 | .7 | .1 | 0 |
# | **3** | 0 | 0 | .1 | .3 | .6 |
# | **4** | 0 | 0 | 0 | .4 | .7 |
#
# To get a mask we choose a threshold; what is at or above it is foreground: the *superlevel set*. Pixels that share a side or a corner are neighbours (8 neighbours). Write down, before you go on:
#
# 1. How many components and how many holes has the mask at threshold 0.5?
# 2. Let the threshold fall from 1 to 0. Does the number of components only rise, only fall, or both?
#
# <details><summary>Answer</summary>
#
# 1. Two components and one hole. 2. Both: a component appears at every peak, and disappears where it meets another one.
#
# </details>

# %% by-hand [markdown]
# ## 1. By hand
#
# Threshold 0.5 is only one of many choices, and one answer per choice is a lot to keep. Persistent homology keeps all of them in a short list. Let the threshold fall and note two kinds of events:
#
# - A **component** is *born* at a peak, a pixel none of whose neighbours came before it. It *dies* where it meets a component with a higher peak: the younger one dies (the **elder rule**).
# - A **hole** is *born* when a ring of foreground closes around some background. It *dies* when the last pixel of that background is filled. If foreground divides a hole in two, one half is new: the one that is filled *first*, for its deepest pixel is the brighter one. The other half goes on as the old hole. That is the elder rule again, seen from the dark side.
#
# One feature, one pair (birth, death). Because the threshold *falls*, the birth is the *larger* number. Say it out loud once: **superlevel sets, births above deaths**.

# %% steps
IMAGE = np.array(
    [
        [0.9, 0.8, 0.4, 0.0, 0.0],
        [0.7, 0.2, 0.8, 0.0, 0.0],
        [0.8, 0.5, 0.7, 0.1, 0.0],
        [0.0, 0.0, 0.1, 0.3, 0.6],
        [0.0, 0.0, 0.0, 0.4, 0.7],
    ]
)
figure = Figure(figsize=(9.6, 6.2), layout="constrained")
for ax, t in zip(figure.subplots(2, 3).flat, (0.9, 0.8, 0.7, 0.5, 0.3, 0.2), strict=True):
    figures.pixel_values(IMAGE, mask=t <= IMAGE, title=f"at or above {t}", ax=ax)
figures.show(figure, "The 5x5 image; yellow is at or above .9, .8, .7, .5, .3 and .2.")


# %% by-hand-table [markdown]
# Follow the yellow pixels from picture to picture:
#
# | threshold | what happens | pair that it ends |
# |---|---|---|
# | .9 | the first component is born, at the highest pixel | |
# | .8 | (0, 1) and (1, 2) join it; (2, 0) touches no yellow pixel: a second component is born | |
# | .7 | (1, 0) joins the two, and the younger dies; (4, 4) is born | component (.8, .7) |
# | .5 | (2, 1) closes a ring around (1, 1): a hole is born | |
# | .3 | (3, 3) joins the corner to the rest; the younger dies | component (.7, .3) |
# | .2 | (1, 1) fills the hole | hole (.5, .2) |
# | 0 | nothing is left to meet: the first component never dies | component (.9, 0) |
#
# The last row is the **essential class**. Its death is not an event in the image but a convention: the threshold ends at 0, so we write 0.
#
# No hole of this image is ever divided. Here is one that is:
#
# | .9 | .9 | .9 | .9 | .9 |
# |---|---|---|---|---|
# | **.9** | **.2** | **.6** | **.4** | **.9** |
# | **.9** | **.9** | **.9** | **.9** | **.9** |
#
# At .9 the ring closes around three pixels. At .6 the one in the middle divides the hole. The half with .4 is new, and is filled at .4: hole (.6, .4). The half with .2 is the old hole: (.9, .2). Let the threshold *rise* instead, and you see why: two puddles begin at .2 and at .4, and where they meet, at .6, the younger one ends. It is the same pair, with birth and death exchanged.
#
# <details><summary>For mathematicians: homology, and the matrix of this image</summary>
#
# Let every pixel be a closed square. The image then has 36 corners, 60 sides and 25 squares, 121 *cells*, and a cell is there as soon as one pixel is that it belongs to. As the threshold falls, the sets $X_t = \{f \ge t\}$ grow: $X_s \subseteq X_t$ for $s \ge t$. Such a family is a **filtration**.
#
# Count modulo 2. A *chain* is a set of cells of one dimension, its *boundary* $\partial$ the set of those cells of one dimension less that lie on an odd number of its cells, and $\partial \partial = 0$. A *cycle* is a chain without boundary. The **homology** $H_k(X_t)$ is the vector space of the $k$-dimensional cycles, in which those count as zero that are boundaries; its dimension is $b_k$. The inclusions give linear maps $H_k(X_s) \to H_k(X_t)$. A class is *born* at $t$ if it is in the image of no earlier space, and *dies* where it becomes zero or equal to an older one. Over a field, the whole family is a sum of intervals, and these are the pairs.
#
# They are computed by **reducing a matrix**. Write down $\partial$, rows and columns in the order in which cells enter. From left to right, add earlier columns to a column, modulo 2, as long as its lowest 1 is in the same row as the lowest 1 of an earlier column. In the end a column of zeros *creates* a class, and one with its lowest 1 in row $i$ *ends* the class that cell $i$ has created.
#
# Most cells enter together with the cell that ends them, for they belong to the same pixel; such pairs live for no time. Chapter 05 takes them away with arrows, and leaves seven of the 121 cells: three peaks, three edges and one square, each called by the value of its pixel.
#
# | $\partial$ | edge .7 | edge .5 | edge .3 | | $\partial$ | square .2 |
# |---|---|---|---|---|---|---|
# | **peak .9** | 1 | 1 | 1 | | **edge .7** | 1 |
# | **peak .8** | 1 | 1 | 0 | | **edge .5** | 1 |
# | **peak .7** | 0 | 0 | 1 | | **edge .3** | 0 |
#
# Edge .5 has the same lowest 1 as edge .7. Add the first column to it: zero, so edge .5 closes a cycle. The lowest entries of the other columns are peak .8, peak .7, and for the square edge .5. That makes (.8, .7), (.7, .3) and (.5, .2); peak .9 is ended by nothing. It is the table above.
#
# </details>

# %% naive [markdown]
# ## 2. The same in ten lines of naive code
#
# Visit the pixels from bright to dark, equal ones in reading order. Each visited pixel knows the *root* of its component, which is the component's birth pixel. A new pixel begins as its own root; then it joins the components of its neighbours, the oldest takes all, and the younger ones die.

# %% naive-components
def components_of(image, connectivity=2):
    """Return (birth, death) of all components of the superlevel sets; the essential dies at 0."""
    order = sorted(np.ndindex(image.shape), key=lambda p: -image[p])
    root, pairs = {}, []
    for p in order:
        root[p] = p
        steps = {q: np.abs(np.subtract(p, q)) for q in root}
        near = {root[q] for q, s in steps.items() if s.max() <= 1 and s.sum() <= connectivity}
        oldest, *younger = sorted(near, key=order.index)
        pairs += [(image[y], image[p]) for y in younger if image[y] > image[p]]
        root = {q: oldest if r in near else r for q, r in root.items()}
    return [*pairs, (image[order[0]], 0.0)]


# %% naive-duality [markdown]
# Holes need no second theory. A hole is a component of the *background* that the outside cannot reach, seen with the threshold *rising*: so negate the image, put a frame of outside around it, and use the same function. There is one catch. If foreground pixels connect over a corner, background pixels must not, or a line could be crossed without being cut: **8 neighbours for the foreground mean 4 for the background, and the other way round** (Kong and Rosenfeld 1989).

# %% naive-holes
def holes_of(image, connectivity=2):
    """Return (birth, death) of all holes: background components, with the dual connectivity."""
    outside = np.pad(-image, 1, constant_values=np.inf)
    pairs = components_of(outside, 3 - connectivity)
    return [(-d, -b) for b, d in pairs if b < np.inf]  # all but the outside itself


print("components:", [f"({b:.1f}, {d:.1f})" for b, d in components_of(IMAGE)])
print("holes:     ", [f"({b:.1f}, {d:.1f})" for b, d in holes_of(IMAGE)])


# %% agree-text [markdown]
# ## 3. Pencil, naive code, library and GUDHI agree
#
# The library does the same in one pass over the pixels, and also tells *which* two pixels made each pair. [GUDHI](https://gudhi.inria.fr) is an independent tool. It works with **sublevel** sets, where the threshold rises and dark pixels come first, so we hand it the negated image and negate what comes back. It knows two ways to make a complex of an image: pixels as squares (`top_dimensional_cells`: squares that share a corner touch, our 8 neighbours) and pixels as points (`vertices`: our 4 neighbours).

# %% agree
def from_gudhi(cubes):
    """Return the sorted (dimension, birth, death) of a negated image; the essential death is 0."""
    pairs = cubes.persistence(min_persistence=0)
    return sorted((k, -b, max(-d, 0.0)) for k, (b, d) in pairs if b < d)


pencil = [(0, 0.7, 0.3), (0, 0.8, 0.7), (0, 0.9, 0.0), (1, 0.5, 0.2)]
for connectivity, kind in ((2, "top_dimensional_cells"), (1, "vertices")):
    naive = [(0, *pair) for pair in components_of(IMAGE, connectivity)]
    naive += [(1, *pair) for pair in holes_of(IMAGE, connectivity)]
    pairs = persistence_pairs(IMAGE, connectivity=connectivity)
    library = sorted(zip(pairs.dimension, pairs.birth, pairs.death, strict=True))
    agree = sorted(naive) == library == from_gudhi(gudhi.CubicalComplex(**{kind: -IMAGE}))
    print(f"{kind}: naive == library == GUDHI: {agree}; == pencil: {library == pencil}")

# %% reading-text [markdown]
# ## 4. Read a diagram
#
# Plot each pair as a dot, births to the right, deaths upwards. As the threshold falls, every dot lies below the diagonal, and its distance from it tells how long the feature lived: its **persistence**, birth minus death. The *barcode* on the right draws the same lives as bars.
#
# At threshold $t$ a feature is **alive** if it is born and not yet dead, $b \ge t > d$: the dots to the right of $t$ and below it, the filled ones in the corner that the dashed lines cut off. Counting them gives the Betti numbers of the mask. That is worth a check (the dissertation calls it Betti number consistency): on our image and on one of 30 rows and 41 columns with many equal values, for both connectivities, at every threshold that occurs.

# %% reading
picture = figures.persistence_summary(IMAGE, persistence_pairs(IMAGE), threshold=0.5, selected=3)
figures.show(picture, "The 5x5 image, its diagram and its barcode at 0.50; marked is the hole.")

generator = np.random.default_rng(SEED)
checks = []
for image in (IMAGE, generator.integers(0, 10, (30, 41)) / 10):
    for connectivity in (1, 2):
        pairs = persistence_pairs(image, connectivity=connectivity)
        for t in np.unique(image):
            living = pairs.dimension[figures.alive(pairs, t)]
            dots = (living == 0).sum(), (living == 1).sum()
            checks.append(betti_numbers(image >= t, connectivity=connectivity) == dots)
print(f"Betti numbers == dots alive: at {sum(checks)} of {len(checks)} thresholds")


# %% variations-text [markdown]
# ## 5. Four conventions that change the answer, and one mistake
#
# A diagram without its conventions says little. The next cell varies one at a time:
#
# - **4 neighbours**: the ring has a gap at the corner (0, 2), so its hole appears later; the bright pixel (1, 2) is cut off from (0, 1) and becomes a component of its own.
# - **Closed border**: a frame of value 1 surrounds the image, so that structures cut by the border close into loops. Its own component and its own hole count.
# - **Sublevel sets**: dark comes first, so births lie *below* deaths. This measures the background. Whoever forgets the minus sign gets a diagram that looks quite reasonable.
# - **Finite components only**, which is all that a published version of the topological loss keeps (`topoloss_pytorch.py` of 2021; chapter 03, section 8): the hole is invisible, and the essential component is missing, so that a truth of one single component asks for nothing at all. Here both are kept, the essential death being a constant.
#
# The mistake is one that square test images hide. GUDHI also takes a flat list of pixels together with the image's dimensions, and reads it with the *first* axis running fastest (Fortran order). NumPy's `ravel` lets the *last* one run fastest. For a square image this is only a transposition, and the diagram stays right. An oblong one is scrambled: below, a line of three pixels falls into two pieces. The same file of 2021 does this to tiles that are not square. GUDHI does what it documents, and handing over the array itself, as in section 3, is safe. So is a habit: **test with height unlike width.**

# %% variations
def text(dots):
    return " ".join(f"{'H' + str(int(k))}({b:.1f}, {d:.1f})" for k, b, d in sorted(dots))


def ours(image, **options):
    pairs = persistence_pairs(image, **options)
    return list(zip(pairs.dimension, pairs.birth, pairs.death, strict=True))


sublevel = gudhi.CubicalComplex(top_dimensional_cells=IMAGE).persistence(min_persistence=0)
print("ours:             ", text(ours(IMAGE)))
print("4 neighbours:     ", text(ours(IMAGE, connectivity=1)))
print("closed border:    ", text(ours(IMAGE, border="closed")))
print("sublevel:         ", text((k, b, min(d, 1.0)) for k, (b, d) in sublevel))
print("finite components:", text(dot for dot in ours(IMAGE, dimensions=[0]) if dot[2] > 0))

# %% oblong
line = np.array([[0.0, 0.9, 0.0, 0.0], [0.0, 0.8, 0.0, 0.0], [0.0, 0.7, 0.0, 0.0]])
flat = gudhi.CubicalComplex(dimensions=line.shape, top_dimensional_cells=-line.ravel())
print("line, ours:       ", text(ours(line)))
print("line, as array:   ", text(from_gudhi(gudhi.CubicalComplex(top_dimensional_cells=-line))))
print("line, flattened:  ", text(from_gudhi(flat)))

# %% photo-text [markdown]
# ## 6. A real photograph
#
# Now the vessels of a retina (photograph by Mikael Häggström, CC0). A small formula stands in for a network: in the green channel vessels are darker than their surroundings, so we subtract the smoothed pixel from a much smoother background, in units of the standard deviation $\sigma$ inside the round field $M$, and squash the result into [0, 1] (`photos.vesselness`):
#
# $$f = M \cdot \mathrm{expit}\Big(1.5\,\frac{\bar g_{24} - \bar g_{3}}{\sigma} - 2\Big)$$

# %% photo tags=["end-product"]
vessels = photos.vesselness(photos.retina().image)[800:1312:2, 240:752:2]
explorer = explorers.PersistenceExplorer(vessels, threshold=THRESHOLD, min_persistence=0.1)
explorer.selected = 1 + int(np.flatnonzero(explorer.shown.dimension == 1)[0])  # the largest hole
figures.show(explorer.picture(), explorer.describe())

# %% photo-meaning [markdown]
# Each dot is a fact about the vessels:
#
# - the dot at the lower right corner is the essential class, the brightest tree; the other dots low down are *pieces of vessel* that are joined to it only by darker pixels. Their death is the likelihood of the darkest pixel on the best path: the weakest link, the place where a segmentation breaks;
# - the marked triangle is a loop of two vessels that meet twice. It is born at the **weakest link of the ring** and dies at the **darkest pixel inside**;
# - the dots near the diagonal are ripples of the texture. There are more than a thousand below persistence 0.1, which the picture leaves out.
#
# At threshold 0.5 the mask has many more components than the eye sees trees. No single threshold mends that: what is faint is faint. But the diagram knows which single pixels would have to rise. [Chapter 03](03_train_with_a_topological_loss.ipynb) trains with exactly this knowledge.

# %% film [markdown]
# The same in motion, three times; [four of its frames](../images/02-film.png) stand still.
#
# ![While the threshold falls over a part of the retina, yellow vessels grow and join; in the diagram the dots in the corner right of the threshold and below it are filled, and the title counts as many components and holes.](../images/02-film.gif)

# %% explorer-text [markdown]
# ## 7. Try it
#
# With a running kernel the next picture is live. Move the **threshold** and watch dots fill as features are born and empty as they die; each bar grows until it ends. **Point at a dot or a bar**: its component or hole lights up in the photograph, with its birth pixel (green diamond) and its death pixel (purple cross). **Point at a pixel**, and the dot and the bar of what lives there are ringed. A click keeps the mark. *Play: how it ends* lets the threshold fall: of a component two fronts grow, its own and that of the elder one, until they meet in one pixel, and the younger bar ends. Draw a box in the diagram to look closely. All is reachable by keyboard: *Marked feature* steps through the dots from the most persistent one. *More controls* holds the smallest persistence and the neighbours. *Your own image* takes a picture from your disk; or set `explorer.image = array` with values in [0, 1].
#
# Find: a component that dies in the gap of a vessel. A hole whose ring closes below 0.3. The threshold that keeps the loop alive with the fewest components: is there one that you would call right?

# %% explorer
explorer.threshold, explorer.selected = 0.3, 2  # another state than in section 6
explorers.show(explorer)

# %% stability-text [markdown]
# ## 8. What is stable
#
# Change every pixel by at most $\varepsilon$. Then births and deaths change by at most $\varepsilon$: one can match the dots of the two diagrams so that none moves by more than $\varepsilon$ in either coordinate, where dots may also come out of the diagonal or vanish into it. The largest move of the best such matching is the **bottleneck distance**, and the stability theorem (Cohen-Steiner, Edelsbrunner and Harer 2007) says
#
# $$d_B(\mathrm{Dgm} f, \mathrm{Dgm} g) \le \max_p |f(p) - g(p)|.$$
#
# Predict: with noise of at most 0.05 a pixel, does the *number* of dots stay about the same?

# %% stability
crop = vessels[90:218, 10:138]
noisy = np.clip(crop + generator.uniform(-NOISE, NOISE, crop.shape), 0, 1)
before, after = persistence_pairs(crop), persistence_pairs(noisy)
figure, axes = figures.parts(2)
for ax, pairs, name in zip(axes, (before, after), ("before", "with noise"), strict=True):
    below = (pairs.persistence > 2 * NOISE).sum()
    figures.persistence_diagram(pairs, title=f"{name}: {below} of {len(pairs)} far", ax=ax)
    ax.fill_between([0, 1], [-2 * NOISE, 1 - 2 * NOISE], [0, 1], color="0.8", zorder=0)
    print(f"{name}: {len(pairs)} dots, {below} beyond the strip")
for k in (0, 1):
    one, two = (np.stack([-p.birth, -p.death], 1)[p.dimension == k] for p in (before, after))
    distance = gudhi.bottleneck_distance(one, two)
    holds = distance <= NOISE
    print(f"dimension {k}: bottleneck distance {distance:.3f}, at most {NOISE}: {holds}")
text = f"Diagrams before and after noise; the grey strip holds persistences up to {2 * NOISE}."
figures.show(figure, text)

# %% stability-meaning [markdown]
# The number of dots is *not* stable; their places are. A few small ones even left the strip, as each may gain up to $2\varepsilon$ of persistence. Noise of amplitude $\varepsilon$ fills a strip along the diagonal, and nothing that lives far from it can vanish. That is the use of a persistence threshold, `min_persistence`. But mind the maximum on the right of the theorem: a single hot pixel may move one dot anywhere. Persistence forgives small noise everywhere; it does not forgive large noise somewhere.

# %% exercise-1 [markdown]
# ## Exercises
#
# Each exercise has a stub to fill in, a checker that names what may have gone wrong, a hint, and a solution in [the solved notebook](./02_measure_shape_with_persistence.ipynb).
#
# ### 02.1 A diagram with a pencil
#
# Write the diagram of `exercises.PENCIL_IMAGE` as a list of `(dimension, birth, death)`: superlevel sets, 8 neighbours, open border, the essential death as 0.
#
# | | 0 | 1 | 2 | 3 | 4 |
# |---|---|---|---|---|---|
# | **0** | 0 | 0 | .7 | .1 | .8 |
# | **1** | 0 | 0 | .7 | .2 | .6 |
# | **2** | 0 | .4 | .5 | .9 | 0 |
# | **3** | .6 | .1 | .3 | 0 | 0 |
# | **4** | 0 | .8 | 0 | 0 | 0 |
#
# <details><summary>Hint</summary>
#
# There are three peaks: .9, .8 and .8. Where does each .8 meet a higher peak? Then look for a background pixel that is walled in on its four sides, and take the lowest of the four walls.
#
# </details>

# %% exercise-1-stub
pencil_diagram = None  # for instance [(0, 0.9, 0.0), ...]

exercises.check("02.1", pencil_diagram)

# %% exercise-1-solution tags=["solution"]
# Peaks: .9 (2, 3), .8 (0, 4), .8 (4, 1). The second meets the first through .6 at (1, 4). The third
# meets it through (3, 0), (2, 1) and (2, 2), whose darkest is .4. Pixel (3, 1) = .1 has the walls
# .4 above, .6 left, .3 right and .8 below: the hole is born at .3 and filled at .1.
pencil_solution = [(0, 0.9, 0.0), (0, 0.8, 0.6), (0, 0.8, 0.4), (1, 0.3, 0.1)]

exercises.check("02.1", pencil_solution)


# %% exercise-2 [markdown]
# ### 02.2 From dots to Betti numbers
#
# Write a function that takes pairs and a threshold and returns how many components and how many holes are alive, at *any* threshold from 1 to 0. (The library has this as `figures.alive`; do it with NumPy.)
#
# <details><summary>Hint</summary>
#
# What is the mask at threshold 0, and how many components does it have? The essential component is the one with `pairs.death_index == -1`.
#
# </details>

# %% exercise-2-stub
def count_alive(pairs, threshold):
    """Return (number of components, number of holes) alive at the threshold."""
    return None


exercises.check("02.2", count_alive)


# %% exercise-2-solution tags=["solution"]
def count_alive_solution(pairs, threshold):
    """Born at or above the threshold, and dead strictly below it; the essential one never dies."""
    essential = (pairs.dimension == 0) & (pairs.death_index < 0)
    living = (pairs.birth >= threshold) & ((pairs.death < threshold) | essential)
    components, holes = (living & (pairs.dimension == k) for k in (0, 1))
    return int(components.sum()), int(holes.sum())


exercises.check("02.2", count_alive_solution)


# %% exercise-3 [markdown]
# ### 02.3 Change the method: close the border
#
# The field of view cuts vessels off, and what the border cuts open is no loop. The first paper on topological losses therefore puts a frame of foreground around each tile. Change the *naive* code so that it finds the holes of the framed image: a function from an image to a list of `(birth, death)`.
#
# <details><summary>Hint</summary>
#
# `holes_of` puts the outside around the image. The frame belongs between the image and the outside. It is foreground at every threshold from 1 down.
#
# </details>

# %% exercise-3-stub
def holes_in_a_frame(image):
    """Return [(birth, death), ...] of the holes when a frame of foreground surrounds the image."""
    return None


exercises.check("02.3", holes_in_a_frame)


# %% exercise-3-solution tags=["solution"]
def holes_in_a_frame_solution(image):
    """The frame is a ring of value 1 between the image and the outside; its own hole counts."""
    return holes_of(np.pad(image, 1, constant_values=1.0))


exercises.check("02.3", holes_in_a_frame_solution)

# %% exercise-4 [markdown]
# ### 02.4 A safe threshold
#
# The pixels of a constant image are changed by at most 0.05 each. Above which persistence can you be sure to find no finite dot?
#
# <details><summary>Hint</summary>
#
# A dot that noise makes comes from the diagonal. Its birth may go up by 0.05; what may its death do?
#
# </details>

# %% exercise-4-stub
safe_persistence = None

exercises.check("02.4", safe_persistence)

# %% exercise-4-solution tags=["solution"]
# A birth can rise by 0.05 while the death sinks by 0.05: the persistence reaches 0.1, not more.
exercises.check("02.4", 2 * 0.05)

# %% quiz-text [markdown]
# ## Ten questions
#
# Answer first, then unfold: behind every answer stands why it is right, or what it mixes up.

# %% quiz
exercises.quiz("02")

# %% practice [markdown]
# ## In practice
#
# - **Cost.** The library needs less than a thousandth of a second for the pairs of a 256x256 likelihood, of pure noise four times as long, and grows a little faster than the number of pixels does. The tools that give critical pixels as well need five to a hundred and fifty times as long (the table of speeds in RESULTS.md).
# - **Limits.** A diagram forgets *where* things are, except for its critical pixels: two images with vessels in different places can have the same diagram. Comparing diagrams alone can therefore reward the wrong structure. Chapter 03 shows it happening.
# - **When it fails.** One bright speck makes one persistent component; one dark scratch opens one loop. Smooth first, or use filtrations made against outliers (Chazal, Cohen-Steiner and Mérigot 2011).
# - **What critics say.** "Short bars are noise" is a rule of thumb, not a theorem: short bars measure curvature and texture (Bubenik, Hull, Patel and Whittle 2020), and in a benchmark of what persistent homology detects, holes were only one of three things (Turkeš, Montúfar and Otter 2022).
#
# ## Summary
#
# You computed a diagram by hand (1), in naive code (2), and saw library and GUDHI agree (3). You read births, deaths, persistence and the essential class (4), saw four conventions and one mistake change the answer (5), found the weakest link of a vessel and of a loop (6, 7), and know what noise can do (8).
#
# ## Further reading
#
# - H. Edelsbrunner, D. Letscher and A. Zomorodian, "Topological persistence and simplification" (2002), [doi:10.1007/s00454-002-2885-2](https://doi.org/10.1007/s00454-002-2885-2): where the elder rule and the pairs come from.
# - D. Cohen-Steiner, H. Edelsbrunner and J. Harer, "Stability of persistence diagrams" (2007), [doi:10.1007/s00454-006-1276-5](https://doi.org/10.1007/s00454-006-1276-5): the theorem of section 8.
# - T. Y. Kong and A. Rosenfeld, "Digital topology: introduction and survey" (1989), [doi:10.1016/0734-189X(89)90147-3](https://doi.org/10.1016/0734-189X%2889%2990147-3): why foreground and background need different neighbours.
# - A. Garin, T. Heiss, K. Maggs, B. Bleile and V. Robins, "Duality in persistent homology of images" (2020), [arXiv:2005.04597](https://arxiv.org/abs/2005.04597): how the two constructions of section 3 turn into each other.
# - F. Chazal, D. Cohen-Steiner and Q. Mérigot, "Geometric inference for probability measures" (2011), [doi:10.1007/s10208-011-9098-0](https://doi.org/10.1007/s10208-011-9098-0): persistence that survives outliers.
# - P. Bubenik, M. Hull, D. Patel and B. Whittle, "Persistent homology detects curvature" (2020), [arXiv:1905.13196](https://arxiv.org/abs/1905.13196), and R. Turkeš, G. Montúfar and N. Otter, "On the effectiveness of persistent homology" (2022), [arXiv:2206.10551](https://arxiv.org/abs/2206.10551): what short bars say.
# - X. Hu, "Learning Topological Representations for Deep Image Understanding" (2024), [arXiv:2403.15361](https://arxiv.org/abs/2403.15361): the dissertation that this workbook follows.
#
# ## Next
#
# [Chapter 03](03_train_with_a_topological_loss.ipynb) turns the two pixels of a dot into a gradient. Before you go on, **shut this kernel down** (menu *Kernel*, *Shut Down Kernel*): it holds memory that the next chapter can use.
