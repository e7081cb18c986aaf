"""The screens: each one turns what the apps answered into tables. Pure."""
