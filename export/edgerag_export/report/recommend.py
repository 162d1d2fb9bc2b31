"""Which variant to ship: within the tolerance, as good as the best, then fast, then small - and why, in words."""

from __future__ import annotations

from collections.abc import Sequence

from edgerag_export.report.axes import SIZE, Axis, quality_axis, speed_axis
from edgerag_export.report.report import Recommendation, VariantReport
from edgerag_export.report.tables import percent


def recommend(task: str, variants: Sequence[VariantReport]) -> Recommendation:
    """Choose among variants.

    Of those within the tolerance that run on every processor: all whose quality is the best but for noise; of these
    all whose speed is the best but for noise; of these the smallest. The float original only when no other passes.

    Args:
        task: `embedding`, `cross-encoder` or `generator`.
        variants: Measured on the same texts, in the same run.
    """
    axes = (quality_axis(task, variants), speed_axis(task), SIZE)
    front = tuple(variant.name for variant in pareto_front([each for each in variants if each.passes], axes))
    rejected = tuple(f"{variant.name}: {'; '.join(variant.failures)}" for variant in variants if variant.failures)
    passing = [variant for variant in variants if variant.passes and not variant.is_reference]
    portable = [variant for variant in passing if variant.target == "portable"]
    if chosen := _choose(portable or passing, axes):
        reason = _reason(chosen, portable or passing, variants, axes)
        bound = _choose(passing, axes)
        if portable and bound is not None and bound.target != "portable":
            reason += (
                f" On {bound.target} alone, {bound.name} would be the choice ({_describe(bound, variants, axes)})."
            )
        return Recommendation(chosen.name, reason, front, rejected)
    original = next((variant for variant in variants if variant.is_reference and variant.passes), None)
    if original is not None:
        why = "no smaller variant is within the tolerance" if rejected else "there is no smaller variant to choose from"
        reason = f"{original.name}, because {why}: {_describe(original, variants, axes)}."
        return Recommendation(original.name, reason, front, rejected)
    return Recommendation(None, "No variant is within the tolerance, so none should be shipped.", front, rejected)


def pareto_front(variants: Sequence[VariantReport], axes: Sequence[Axis]) -> list[VariantReport]:
    """Variants that no other one equals on all axes and beats on at least one, in the given order."""
    ranks = [tuple(axis.rank(variant) for axis in axes) for variant in variants]

    def is_beaten(own: tuple[float, ...]) -> bool:
        return any(other != own and all(a >= b for a, b in zip(other, own, strict=True)) for other in ranks)

    return [variant for variant, own in zip(variants, ranks, strict=True) if not is_beaten(own)]


def _choose(variants: Sequence[VariantReport], axes: Sequence[Axis]) -> VariantReport | None:
    left = list(variants)
    for axis in axes:
        if left:
            top = max(axis.rank(variant) for variant in left)
            left = [variant for variant in left if axis.rank(variant) >= top - abs(top) * axis.tie]
    return left[0] if left else None


def _reason(
    chosen: VariantReport,
    candidates: Sequence[VariantReport],
    variants: Sequence[VariantReport],
    axes: tuple[Axis, Axis, Axis],
) -> str:
    quality, speed, _ = axes
    text = f"{chosen.name}: {_describe(chosen, variants, axes)}."
    # Said only where it makes a difference.
    bound = any(variant.passes and variant.target != "portable" for variant in variants)
    which = "within the tolerance" + (" that run on every processor" if bound and chosen.target == "portable" else "")
    if len(candidates) == 1:
        return f"{text} Of the variants {which} it is the only one beside the original."
    best = max(candidates, key=quality.rank)
    fastest = max(candidates, key=speed.rank)
    if best is chosen:
        text += f" Of the {len(candidates)} variants {which} it has the best {quality.label}."
    else:
        text += (
            f" Of the {len(candidates)} variants {which}, {best.name} has the best {quality.label} "
            f"({quality.show(best)}), which is less than {percent(quality.tie, 1)} better and counts as equal; "
            f"{chosen.name} is faster or smaller."
        )
    if fastest is not chosen and speed.rank(fastest) > speed.rank(chosen) * (1 + speed.tie):
        text += f" {fastest.name} is faster ({speed.show(fastest)}) but not as good ({quality.show(fastest)})."
    return text


def _describe(variant: VariantReport, variants: Sequence[VariantReport], axes: tuple[Axis, Axis, Axis]) -> str:
    """Quality, speed and size, each beside the original's where there is one."""
    quality, speed, size = axes
    original = next((other for other in variants if other.is_reference and other is not variant), None)
    text = f"{quality.label} {quality.show(variant)}"
    own, exact = quality.value(variant), original and quality.value(original)
    if original is not None and exact and own is not None:
        loss = (1 - own / exact) * (1 if quality.larger_is_better else -1)
        text += f" ({percent(abs(loss))} {'worse' if loss > 0 else 'better'} than {original.name})"
    rate, base = speed.value(variant), original and speed.value(original)
    if rate is not None:
        text += f", {speed.show(variant)}" + (f" ({rate / base:.1f} x)" if base and not speed.is_ratio else "")
    return f"{text}, {size.show(variant)}"
