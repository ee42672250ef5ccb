"""The transformer decoder of HMR2.0 and HSMR: one token asks the image's features, with the parameter names of their checkpoints.

Paper: Goel et al. 2023, "Humans in 4D", section 3.2. Its query token is the number 0, so that what enters is the bias of the embedding and
the position embedding, the same for every image.
"""

import torch
from torch import nn
from torch.nn import functional

WIDTH, DEPTH, NUM_HEADS, HEAD_WIDTH, HIDDEN = 1024, 6, 8, 64, 1024


def _split_heads(values: torch.Tensor, num_heads: int) -> torch.Tensor:
    return values.unflatten(-1, (num_heads, -1)).transpose(1, 2)


class _Attention(nn.Module):
    """What self- and cross-attention share: the output layer, and attention of split heads."""

    def __init__(self, num_heads: int, head_width: int, width: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_out = nn.Sequential(nn.Linear(num_heads * head_width, width))

    def attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        query, key, value = (_split_heads(part, self.num_heads) for part in (query, key, value))
        return self.to_out(functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class SelfAttention(_Attention):
    """Tokens (B,N,C) to (B,N,C)."""

    def __init__(self, width: int, num_heads: int, head_width: int) -> None:
        super().__init__(num_heads, head_width, width)
        self.to_qkv = nn.Linear(width, 3 * num_heads * head_width, bias=False)

    def forward(self, tokens: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        return self.attend(*self.to_qkv(tokens).chunk(3, -1))


class CrossAttention(_Attention):
    """Tokens (B,N,C) and features (B,M,D) to (B,N,C)."""

    def __init__(self, width: int, feature_width: int, num_heads: int, head_width: int) -> None:
        super().__init__(num_heads, head_width, width)
        self.to_kv = nn.Linear(feature_width, 2 * num_heads * head_width, bias=False)
        self.to_q = nn.Linear(width, num_heads * head_width, bias=False)

    def forward(self, tokens: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        return self.attend(self.to_q(tokens), *self.to_kv(features).chunk(2, -1))


class FeedForward(nn.Module):
    """Tokens (B,N,C) to (B,N,C). The third place of `net` is a dropout in training."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, width))

    def forward(self, tokens: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        return self.net(tokens)


class Normalised(nn.Module):
    """A layer on normalised tokens, added to them."""

    def __init__(self, width: int, layer: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fn = layer

    def forward(self, tokens: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        return tokens + self.fn(self.norm(tokens), features)


class _Layers(nn.Module):
    """Self-attention, cross-attention and feed-forward, `depth` times."""

    def __init__(self, feature_width: int, width: int, depth: int, num_heads: int, head_width: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList(
                Normalised(width, layer)
                for layer in (
                    SelfAttention(width, num_heads, head_width),
                    CrossAttention(width, feature_width, num_heads, head_width),
                    FeedForward(width, hidden),
                )
            )
            for _ in range(depth)
        )

    def forward(self, tokens: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        for layers in self.layers:
            assert isinstance(layers, nn.ModuleList)
            for layer in layers:
                tokens = layer(tokens, features)
        return tokens


class TokenDecoder(nn.Module):
    """An encoder's features (B,M,D) to one vector an image, (B,C). The sizes are the released ones unless given."""

    def __init__(
        self,
        feature_width: int = 1280,
        width: int = WIDTH,
        depth: int = DEPTH,
        num_heads: int = NUM_HEADS,
        head_width: int = HEAD_WIDTH,
        hidden: int = HIDDEN,
    ) -> None:
        super().__init__()
        self.width = width
        self.to_token_embedding = nn.Linear(1, width)
        self.pos_embedding = nn.Parameter(torch.zeros(1, 1, width))
        self.transformer = _Layers(feature_width, width, depth, num_heads, head_width, hidden)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        token = self.to_token_embedding(features.new_zeros(len(features), 1, 1)) + self.pos_embedding
        return self.transformer(token, features)[:, 0]
