"""What comes in and what goes out: events, requests, reports, pages. Pure, but for the one file that it serves."""
