"""Jobs in the backend: their progress, and the people that their answers become."""
