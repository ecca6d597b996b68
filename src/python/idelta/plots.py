"""Figures, drawn with matplotlib where it is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InvalidArgument, Unsupported

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .results import Decomposition, Evaluation

_MOST_LAYERS = 12  # of a sheet, as in the program's
_COLOURS = "bwr"  # blue less, red more


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot
    except ImportError as error:
        raise Unsupported("plots need matplotlib; install it (Debian: python3-matplotlib)") from error
    return matplotlib.pyplot


def layer_accuracy(evaluation: Evaluation, ax: Axes | None = None) -> Axes:
    """The accuracy of every layer's class dimensions, and that of the input, which is chance."""
    axes: Axes = ax if ax is not None else _pyplot().subplots()[1]
    layers = np.arange(1, len(evaluation.accuracy) + 1)
    axes.plot(layers, 100 * evaluation.accuracy, marker="o", label="class dimensions of the layer")
    axes.axhline(100 * evaluation.input_accuracy, linestyle=":", label="input: chance")
    axes.set_xlabel("layer")
    axes.set_ylabel("accuracy / %")
    axes.set_title(f"layer accuracy on {evaluation.count} images")
    axes.legend()
    return axes


def contribution_sheet(decomposition: Decomposition, rows: Sequence[int] | None = None) -> Figure:
    """A row an image: the input, then the contribution map of each layer, of more than 12 layers 12 evenly spaced.

    All maps have one zero-centred scale, which the colour bar shows. Above each stand the class that the layer names
    and its class likelihood: scores, not calibrated probabilities. Named features are drawn as bars.
    """
    maps, likelihoods = decomposition.contribution_maps, decomposition.class_likelihoods
    if maps is None or likelihoods is None:
        raise InvalidArgument(
            'a sheet needs decompose(images, ["contribution_maps", "class_likelihoods"]); this has not both'
        )
    plt = _pyplot()
    chosen = np.arange(min(4, maps.shape[1])) if rows is None else np.asarray(rows, int)
    if chosen.size == 0:
        raise InvalidArgument("a sheet needs an image; rows is empty")
    layers = np.unique(np.linspace(0, len(maps) - 1, min(len(maps), _MOST_LAYERS)).round().astype(int))
    shown = maps[np.ix_(layers, chosen)]
    scale = float(np.abs(shown).max()) or 1.0
    figure, axes = plt.subplots(
        len(chosen), 1 + len(layers), squeeze=False, layout="constrained",
        figsize=(1.1 * (1 + len(layers)) + 1, 1.5 * len(chosen)),
    )  # fmt: skip
    pictures = maps.ndim == 4
    drawn: Any = None
    for row, image in enumerate(chosen):
        _draw_input(axes[row, 0], decomposition.images[image], pictures)
        for column, layer in enumerate(layers):
            drawn = _draw_map(axes[row, 1 + column], shown[column, row], scale, pictures)
            best = int(likelihoods[layer, image].argmax())
            name = decomposition.class_names[best] if decomposition.class_names else str(best)
            axes[row, 1 + column].set_title(f"{name}\n{likelihoods[layer, image, best]:.2f}", fontsize=7)
    for column, layer in enumerate(layers):
        axes[-1, 1 + column].set_xlabel(f"layer {layer + 1}", fontsize=8)
    axes[-1, 0].set_xlabel("input", fontsize=8)
    if pictures:
        figure.colorbar(drawn, ax=axes, shrink=0.8, label="h[0:P] - x")
    else:
        figure.supylabel(f"h[0:P] - x, each from {-scale:.3g} to {scale:.3g}", fontsize=8)
        names = decomposition.feature_names or [str(i) for i in range(maps.shape[2])]
        axes[-1, 0].set_yticks(range(len(names)), names, fontsize=6)
    return figure


def _draw_input(ax: Axes, image: Any, picture: bool) -> None:
    if picture:
        ax.imshow(image, cmap="gray")
    else:
        ax.barh(np.arange(len(image)), image, color="gray")
        ax.invert_yaxis()
    ax.set_xticks([])
    ax.set_yticks([])


def _draw_map(ax: Axes, values: Any, scale: float, picture: bool) -> Any:
    ax.set_xticks([])
    ax.set_yticks([])
    if picture:
        return ax.imshow(values, cmap=_COLOURS, vmin=-scale, vmax=scale)
    ax.barh(np.arange(len(values)), values, color=np.where(values < 0, "blue", "red"))
    ax.set_xlim(-scale, scale)
    ax.invert_yaxis()
    return None
