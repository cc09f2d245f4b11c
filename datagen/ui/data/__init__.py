"""What the pages show, without a line of NiceGUI: tables of rows, suspicion, marked text, jobs, votes."""
