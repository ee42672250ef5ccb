"""ViT-H, the image encoder of HMR2.0 and HSMR, with the parameter names of ViTPose's checkpoints.

Papers: Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words"; Xu et al. 2022, "ViTPose". Against the former there is no class token in
the sequence: its position embedding is added to every patch's. Patches of 16 px are cut with a padding of 2 px.
"""

import torch
from torch import nn
from torch.nn import functional

PATCH, PADDING = 16, 2  # px
IMAGE_SIZE = (256, 192)  # px, height and width
GRID = (IMAGE_SIZE[0] // PATCH, IMAGE_SIZE[1] // PATCH)  # patches
NORM_EPS = 1e-6


class Attention(nn.Module):
    """Self-attention of all patches. Tokens (B,N,C) to (B,N,C)."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        batch, count, dim = tokens.shape
        query, key, value = self.qkv(tokens).reshape(batch, count, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.proj(mixed.transpose(1, 2).reshape(batch, count, dim))


class Mlp(nn.Module):
    """Two layers with GELU between them. Tokens (B,N,C) to (B,N,C)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.fc2(functional.gelu(self.fc1(tokens)))


class Block(nn.Module):
    """Attention and MLP, each on normalised tokens and added to them."""

    def __init__(self, dim: int, num_heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(dim, eps=NORM_EPS) for _ in range(2))
        self.attn = Attention(dim, num_heads)
        self.mlp = Mlp(dim, mlp_ratio * dim)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class PatchEmbedding(nn.Module):
    """Images (B,3,256,192) to one token a patch, (B,192,C), row by row."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, PATCH, stride=PATCH, padding=PADDING)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.proj(images).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    """Normalised images (B,3,256,192) to a feature a patch, (B,192,C); the sizes by default are ViT-H's."""

    def __init__(self, dim: int = 1280, depth: int = 32, num_heads: int = 16, mlp_ratio: int = 4) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding(dim)
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + GRID[0] * GRID[1], dim))
        self.blocks = nn.ModuleList(Block(dim, num_heads, mlp_ratio) for _ in range(depth))
        self.last_norm = nn.LayerNorm(dim, eps=NORM_EPS)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        tokens = self.patch_embed(images) + self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        for block in self.blocks:
            tokens = block(tokens)
        return self.last_norm(tokens)
