"""Losses that Keras has not: functions on batches, with ``keras.ops`` alone."""

from keras import ops


def difference_loss(shared, private):
    r"""Say how much of one set of features can be read from another: what is private should not be shared.

    .. math:: L = \frac{1}{d_s d_p} \lVert \hat S^\top \hat P \rVert_F^2

    with the columns of :math:`S` and :math:`P` centred over the batch, and then each row divided by its length.

    Args:
        shared: features of each clip, floats of shape ``(batch, d_s)``.
        private: features of each clip, floats of shape ``(batch, d_p)``.

    Returns:
        A scalar, float32, >= 0. It is 0 where every feature of the one is uncorrelated with every feature of the other,
        but also where a branch says the same of every clip: see :func:`spread`.

    Example:
        >>> float(difference_loss(ops.array([[1.0], [-1.0]]), ops.array([[2.0], [-3.0]])))
        4.0

    Reference:
        Bousmalis et al. (2016), Domain separation networks, eq. (5). https://arxiv.org/abs/1608.06019; Liu, Qiu and
        Huang (2017), eq. (10). https://arxiv.org/abs/1704.05742
    """
    correlation = ops.matmul(ops.transpose(_centred_rows(shared)), _centred_rows(private))  # (d_s, d_p)
    return ops.mean(ops.square(correlation))


def spread(features):
    """Measure how much features differ between the clips of a batch.

    Args:
        features: floats of shape ``(batch, features)``.

    Returns:
        A scalar, float32, >= 0: the root mean square distance from the batch's mean. 0 is a branch that died.
    """
    features = ops.cast(features, "float32")
    centred = features - ops.mean(features, axis=0, keepdims=True)
    return ops.sqrt(ops.mean(ops.square(centred)))


def maximum_mean_discrepancy(x, y, widths=(0.25, 0.5, 1.0, 2.0, 4.0)):
    r"""Say how far apart two sets of features are, as a kernel sees them.

    .. math:: \mathrm{MMD}^2 = \overline{k(x, x')} + \overline{k(y, y')} - 2 \overline{k(x, y)}, \quad
        k(a, b) = \frac{1}{W} \sum_w \exp\left(-\frac{\lVert a - b \rVert^2}{w s}\right)

    with :math:`s` the mean squared distance of all pairs, so that the scale of the features does not count. No gradient
    goes through :math:`s`.

    Args:
        x: features, floats of shape ``(m, features)``.
        y: features, floats of shape ``(n, features)``.
        widths: widths of the kernels, relative to the mean squared distance.

    Returns:
        A scalar, float32, >= 0 up to rounding; 0 for equal sets.

    Example:
        >>> float(maximum_mean_discrepancy(ops.ones((2, 3)), ops.ones((2, 3))))
        0.0

    Reference:
        Gretton et al. (2012), eq. (5). https://jmlr.org/papers/v13/gretton12a.html; Long et al. (2015), for the sum of
        kernels. https://arxiv.org/abs/1502.02791
    """
    x, y = ops.cast(x, "float32"), ops.cast(y, "float32")
    m, both = ops.shape(x)[0], ops.concatenate([x, y])
    # Differences, not products: of features far from the origin the products would lose the distances.
    distance = ops.sum(ops.square(both[:, None] - both[None]), axis=-1)
    scale = ops.stop_gradient(ops.maximum(ops.mean(distance), 1e-12))
    kernel = sum(ops.exp(-distance / (width * scale)) for width in widths) / len(widths)
    return ops.mean(kernel[:m, :m]) + ops.mean(kernel[m:, m:]) - 2.0 * ops.mean(kernel[:m, m:])


def concordance_loss(y_true, y_pred, weights=None):
    r"""One minus the concordance correlation coefficient of a batch, in which some labels may be missing.

    .. math:: L = 1 - \frac{2 s_{xy}}{s_x^2 + s_y^2 + (\bar x - \bar y)^2}

    with means weighted by ``weights``. It is the same for values and for their places on a scale.

    Args:
        y_true: labels, floats of shape ``(batch,)``.
        y_pred: answers, the same shape.
        weights: weight of each clip, the same shape: 0 where the label is missing; None weighs all alike.

    Returns:
        A scalar from 0 to 2, float32. It is 0 where no label is known, and 1, without a slope, where all labels and
        answers are one value.

    Example:
        >>> round(float(concordance_loss(ops.array([0.0, 1.0, 2.0]), ops.array([1.0, 2.0, 3.0]))), 4)
        0.4286

    Reference:
        Lin (1989), A concordance correlation coefficient to evaluate reproducibility. https://doi.org/10.2307/2532051
    """
    x, y = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    weights = ops.ones_like(x) if weights is None else ops.cast(weights, "float32")
    total = ops.sum(weights)
    share = weights / ops.maximum(total, 1e-12)
    shift_x, shift_y = ops.sum(share * x), ops.sum(share * y)
    dx, dy = x - shift_x, y - shift_y
    spread_of_both = ops.sum(share * (ops.square(dx) + ops.square(dy))) + ops.square(shift_x - shift_y)
    concordance = 2 * ops.sum(share * dx * dy) / ops.maximum(spread_of_both, 1e-12)
    return ops.where(total > 0, 1 - concordance, 0.0)


def _centred_rows(x):
    x = ops.cast(x, "float32")
    x = x - ops.mean(x, axis=0, keepdims=True)
    # What is shorter than 1e-4 is rounding, not to be blown up; and so the gradient of a row of zeros is finite.
    return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x), axis=1, keepdims=True), 1e-8))
