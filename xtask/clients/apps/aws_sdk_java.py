"""AWS SDK for Java 2: the steps are in aws_sdk_java/Main.java."""

import os
from pathlib import Path

from app import hand_over
from session import arguments

main = Path(__file__).with_suffix("") / "Main.java"
hand_over("java", "-cp", f"{os.environ['SDK_JAVA']}/*", str(main), str(arguments().work))
