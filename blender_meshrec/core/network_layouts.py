"""Every parameter of the released networks: names and shapes, without the networks themselves, which need torch.

Tests compare these with the networks of methods/. Numbers of batches seen by a batch normalisation are left out: nothing reads them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Shape: TypeAlias = tuple[int, ...]
Layout: TypeAlias = Mapping[str, Shape]


def hmr2_layout() -> Layout:
    """HMR2.0: `backbone.` and `smpl_head.`."""
    return _transformer_regressor("smpl_head.", "init_body_pose", ("decpose", "decshape", "deccam"))


def hsmr_layout() -> Layout:
    """HSMR: `backbone.` and `head.`."""
    return _transformer_regressor("head.", "init_poses", ("poses_decoder", "betas_decoder", "cam_decoder"))


def _transformer_regressor(head: str, init_pose: str, decoders: Sequence[str]) -> Layout:
    """A vision transformer `backbone.` and a head that decodes pose, shape and camera from one token.

    Args:
        head: its prefix. init_pose: the name of the mean pose. decoders: the names of the layers for pose, shape and camera.
    """
    sizes = (144, 10, 3)
    starts = {f"{head}{name}": (1, size) for name, size in zip((init_pose, "init_betas", "init_cam"), sizes)}
    layers = _linears(head, {name: (size, 1024) for name, size in zip(decoders, sizes)})
    return {**dict(_vision_transformer("backbone.")), **starts, **dict(_token_decoder(f"{head}transformer.")), **layers}


def spin_layout() -> Layout:
    """SPIN, without a prefix."""
    starts = {"init_pose": (1, 144), "init_shape": (1, 10), "init_cam": (1, 3)}
    layers = {"fc1": (1024, 2205), "fc2": (1024, 1024), "decpose": (144, 1024), "decshape": (10, 1024), "deccam": (3, 1024)}
    return {**starts, **dict(_resnet50("")), **_linears("", layers)}


def decomr_layout() -> Layout:
    """DecoMR: `CNet.` and `LNet.`."""
    found = dict(_resnet50("CNet.resnet."))
    found |= _linears("CNet.resnet.", {"fc": (1000, 2048)})
    for level, (fine, coarse) in enumerate(((256, 512), (512, 1024), (1024, 2048))):
        found |= _bottleneck(f"CNet.dp_layers.{level}.1.", coarse, fine)
    for end, outputs in (("dp_uv_end", 2), ("dp_mask_end", 1)):
        found |= _bottleneck(f"CNet.{end}.0.", 256, 32)
        found |= _convolution(f"CNet.{end}.1.", (outputs, 32, 1, 1))
    found |= _linears("LNet.", {"fc_head.0": (512, 2048), "fc_head.3": (256, 512)})
    found |= _linears("LNet.", {"camera.0": (512, 2048), "camera.3": (256, 512), "camera.6": (3, 256)})
    for name, channels in (("fc_head.1", 512), ("camera.1", 512), ("camera.4", 256)):
        found |= _batch_norm(f"LNet.{name}.", channels)
    for place, shape in ((0, (512, 518)), (2, (512, 512)), (4, (256, 512))):
        found |= _convolution(f"LNet.uv_conv1.{place}.", (*shape, 1, 1))
    found |= _affine("LNet.hg.norm.", 256)
    for level, (fine, coarse) in enumerate(((256, 512), (512, 1024), (1024, 2048))):
        found |= _bottleneck(f"LNet.hg.down_layers.{level}.0.", fine, coarse)
        found |= _bottleneck(f"LNet.hg.up_layers.{level}.1.", coarse, fine)
    found |= _bottleneck("LNet.uv_conv2.", 256, 128)
    found |= _bottleneck("LNet.decoder.0.1.", 128, 64)
    found |= _bottleneck("LNet.uv_end.0.", 64, 32)
    return {**found, **_convolution("LNet.uv_end.1.", (3, 32, 1, 1))}


def videopose3d_layout(num_layers: int, with_path: bool) -> Layout:
    """VideoPose3D of so many 3-frame convolutions: `model_pos.`, and with the hip's path `model_traj.`."""
    found: dict[str, Shape] = {}
    for prefix, outputs in (("model_pos.", 51), ("model_traj.", 3))[: 1 + with_path]:
        found[f"{prefix}expand_conv.weight"] = (1024, 34, 3)
        found |= _batch_norm(f"{prefix}expand_bn.", 1024)
        for layer in range(2 * (num_layers - 1)):
            found[f"{prefix}layers_conv.{layer}.weight"] = (1024, 1024, 1 if layer % 2 else 3)
            found |= _batch_norm(f"{prefix}layers_bn.{layer}.", 1024)
        found |= _convolution(f"{prefix}shrink.", (outputs, 1024, 1))
    return found


# --- parts ------------------------------------------------------------------------------------------------------------


def _affine(prefix: str, channels: int) -> dict[str, Shape]:
    return {f"{prefix}weight": (channels,), f"{prefix}bias": (channels,)}


def _batch_norm(prefix: str, channels: int) -> dict[str, Shape]:
    return _affine(prefix, channels) | {f"{prefix}running_mean": (channels,), f"{prefix}running_var": (channels,)}


def _convolution(prefix: str, shape: Shape) -> dict[str, Shape]:
    return {f"{prefix}weight": shape, f"{prefix}bias": shape[:1]}


def _linears(prefix: str, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Linear layers by name, with weights and biases."""
    return {key: value for name, shape in shapes.items() for key, value in _convolution(f"{prefix}{name}.", shape).items()}


def _bottleneck(prefix: str, inputs: int, outputs: int) -> dict[str, Shape]:
    """DecoMR's residual block of three convolutions with group normalisation."""
    half = outputs // 2
    found: dict[str, Shape] = {}
    shapes = ((half, inputs, 1, 1), (half, half, 3, 3), (outputs, half, 1, 1))
    for number, shape in enumerate(shapes, 1):
        found |= _convolution(f"{prefix}conv{number}.", shape)
        found |= _affine(f"{prefix}norm{number}.", shape[0])
    return found | _convolution(f"{prefix}skip_conv.", (outputs, inputs, 1, 1))


def _resnet50(prefix: str) -> Iterator[tuple[str, Shape]]:
    """ResNet50 without the classes' layer."""
    yield f"{prefix}conv1.weight", (64, 3, 7, 7)
    yield from _batch_norm(f"{prefix}bn1.", 64).items()
    inputs = 64
    for level, (count, width) in enumerate(zip((3, 4, 6, 3), (64, 128, 256, 512)), 1):
        for block in range(count):
            start = f"{prefix}layer{level}.{block}."
            shapes: Sequence[Shape] = ((width, inputs, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1))
            for number, shape in enumerate(shapes, 1):
                yield f"{start}conv{number}.weight", shape
                yield from _batch_norm(f"{start}bn{number}.", shape[0]).items()
            if block == 0:
                yield f"{start}downsample.0.weight", (4 * width, inputs, 1, 1)
                yield from _batch_norm(f"{start}downsample.1.", 4 * width).items()
            inputs = 4 * width


def _vision_transformer(prefix: str) -> Iterator[tuple[str, Shape]]:
    """ViT-H on 256 x 192 px."""
    yield f"{prefix}pos_embed", (1, 193, 1280)
    yield from _convolution(f"{prefix}patch_embed.proj.", (1280, 3, 16, 16)).items()
    for block in range(32):
        start = f"{prefix}blocks.{block}."
        for norm in ("norm1.", "norm2."):
            yield from _affine(start + norm, 1280).items()
        layers = {"attn.qkv": (3840, 1280), "attn.proj": (1280, 1280), "mlp.fc1": (5120, 1280), "mlp.fc2": (1280, 5120)}
        yield from _linears(start, layers).items()
    yield from _affine(f"{prefix}last_norm.", 1280).items()


def _token_decoder(prefix: str) -> Iterator[tuple[str, Shape]]:
    """The transformer decoder of HMR2.0 and HSMR."""
    yield f"{prefix}pos_embedding", (1, 1, 1024)
    yield from _linears(prefix, {"to_token_embedding": (1024, 1)}).items()
    for layer in range(6):
        start = f"{prefix}transformer.layers.{layer}."
        for part in "012":
            yield from _affine(f"{start}{part}.norm.", 1024).items()
        yield f"{start}0.fn.to_qkv.weight", (1536, 1024)
        yield f"{start}1.fn.to_kv.weight", (1024, 1280)
        yield f"{start}1.fn.to_q.weight", (512, 1024)
        yield from _linears(start, {"0.fn.to_out.0": (1024, 512), "1.fn.to_out.0": (1024, 512)}).items()
        yield from _linears(start, {"2.fn.net.0": (1024, 1024), "2.fn.net.3": (1024, 1024)}).items()
