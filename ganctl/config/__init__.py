"""From the command line and YAML to settings that are checked, before anything is built."""
