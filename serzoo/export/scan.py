"""What must not stand in a graph that any TensorFlow Serving shall run."""

from pathlib import Path

from serzoo.errors import ExportError

_REASONS = (
    (lambda node: node.op.startswith("Cudnn"), "needs a GPU with cuDNN"),
    (lambda node: "PyFunc" in node.op, "calls back into the Python process that made it"),
    (lambda node: node.op.startswith(("Flex", "TfLite")) or ">" in node.op, "is no operation of TensorFlow itself"),
    (lambda node: "GPU" in node.device.upper(), "is pinned to a GPU"),
)


def scan_graph(folder: Path) -> None:
    """Look at every operation of a SavedModel, those inside functions too.

    Args:
        folder: with ``saved_model.pb``.

    Raises:
        ExportError: with each operation that stock TensorFlow Serving on a CPU could not run, and why.
    """
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    found = {}
    for meta in saved.meta_graphs:
        graph = meta.graph_def
        for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
            for node in nodes:
                for holds, reason in _REASONS:
                    if holds(node):
                        found[node.op] = f"{node.op} {reason}"
    if found:
        raise ExportError(
            f"The graph must hold TensorFlow's own operations for a CPU alone: {'; '.join(found.values())}."
        )
