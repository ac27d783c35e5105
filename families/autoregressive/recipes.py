"""The recipes of the autoregressive models: where each is and what a table says of it; nothing is imported."""

from __future__ import annotations

from typing import Any

RECIPES: dict[str, dict[str, Any]] = {
    "pixelcnn": {
        "target": "families.autoregressive.pixelcnn:pixelcnn",
        "family": "autoregressive",
        "title": "PixelCNN",
        "paper": "1601.06759",
        "year": 2016,
        "likelihood": "exact",
    },
    "gated-pixelcnn": {
        "target": "families.autoregressive.gated_pixelcnn:gated_pixelcnn",
        "family": "autoregressive",
        "title": "Gated PixelCNN",
        "paper": "1606.05328",
        "year": 2016,
        "likelihood": "exact",
    },
    "pixelcnn-pp": {
        "target": "families.autoregressive.pixelcnn_pp:pixelcnn_pp",
        "family": "autoregressive",
        "title": "PixelCNN++",
        "paper": "1701.05517",
        "year": 2017,
        "likelihood": "exact",
    },
    "pixelrnn-row-lstm": {
        "target": "families.autoregressive.row_lstm:pixelrnn_row_lstm",
        "family": "autoregressive",
        "title": "PixelRNN, Row LSTM",
        "paper": "1601.06759",
        "year": 2016,
        "likelihood": "exact",
    },
    "pixelrnn-diagonal-bilstm": {
        "target": "families.autoregressive.diagonal_bilstm:pixelrnn_diagonal_bilstm",
        "family": "autoregressive",
        "title": "PixelRNN, Diagonal BiLSTM",
        "paper": "1601.06759",
        "year": 2016,
        "likelihood": "exact",
    },
    "wavenet": {
        "target": "families.autoregressive.wavenet:wavenet",
        "family": "autoregressive",
        "title": "WaveNet over the raster sequence",
        "paper": "1609.03499",
        "year": 2016,
        "likelihood": "exact",
    },
}
