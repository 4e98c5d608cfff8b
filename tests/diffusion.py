"""Tiny text-to-image models of `diffusers` with weights drawn at random, saved as people publish theirs."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

SIDE = 32


def write_stable_diffusion(folder: Path, *, safety: str = "none") -> Path:
    """A Stable Diffusion of a few thousand weights for pictures of 32 pixels. safety: 'none', or a checker that calls
    everything 'unsafe' or everything 'safe'."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
        from diffusers.utils import logging
        from transformers import CLIPTextConfig, CLIPTextModel

        logging.set_verbosity_error()
        torch.manual_seed(0)
        unet = UNet2DConditionModel(
            sample_size=SIDE // 2,
            layers_per_block=1,
            block_out_channels=(8, 16),
            norm_num_groups=4,
            attention_head_dim=4,
            cross_attention_dim=16,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        )
        vae = AutoencoderKL(
            block_out_channels=(8, 8),
            norm_num_groups=4,
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            sample_size=SIDE,
        )
        tokenizer = _tokenizer(folder.parent)
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=16,
                intermediate_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                max_position_embeddings=77,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        )
        checker, processor = _checker(safety)
        pipeline = StableDiffusionPipeline(
            vae=vae,
            text_encoder=text,
            tokenizer=tokenizer,
            unet=unet,
            scheduler=DDIMScheduler(num_train_timesteps=1000, clip_sample=False, steps_offset=1),
            safety_checker=checker,
            feature_extractor=processor,
            requires_safety_checker=checker is not None,
        )
        pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def _tokenizer(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + list("0123456789,.'-")
    words = letters + [f"{letter}</w>" for letter in letters] + ["<|startoftext|>", "<|endoftext|>"]
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({word: k for k, word in enumerate(words)}))
    merges.write_text("#version: 0.2\n")
    return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=77)


def _checker(safety: str) -> tuple[Any, Any]:
    if safety == "none":
        return None, None
    import torch
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPVisionConfig

    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=16
    )
    config = CLIPConfig(vision_config=vision.to_dict(), projection_dim=8)
    checker = StableDiffusionSafetyChecker(config)
    # A concept is found where the cosine with its embedding is above its weight.
    for weights in (checker.concept_embeds_weights, checker.special_care_embeds_weights):
        weights.data = torch.full_like(weights, -2.0 if safety == "unsafe" else 2.0)
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return checker, processor
