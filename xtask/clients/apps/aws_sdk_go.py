"""AWS SDK for Go v2: the steps are in aws_sdk_go/main.go."""

import os

from app import hand_over

hand_over(os.environ["SDK_GO"])
