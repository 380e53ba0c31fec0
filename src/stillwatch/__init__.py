"""Detects, stops and proves distillation campaigns against language-model APIs."""
