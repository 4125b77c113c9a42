"""Tests of the trigger study."""
