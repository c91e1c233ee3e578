"""What is done with a trained game: sample, translate, score, evaluate, diagnose. No Lightning."""
