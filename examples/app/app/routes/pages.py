"""Pages as their readers see them: a browser runs the scripts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.services import NotConfigured, WithServices

router = APIRouter(tags=["pages"])


class Page(BaseModel):
    html: Annotated[str, Field(max_length=100_000)]


class Rendered(BaseModel):
    title: str
    text: str


@router.post("/render")
async def render(page: Page, services: WithServices) -> Rendered:
    """What the page shows once its scripts have run; needs Playwright, and a browser that BROWSER names."""
    if services.settings.browser is None:
        raise NotConfigured("BROWSER is not set, so no page is opened here.")
    # Only who opens pages installs it.
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=services.settings.browser, chromium_sandbox=True)
        try:
            tab = await browser.new_page()
            await tab.set_content(page.html)
            return Rendered(title=await tab.title(), text=await tab.inner_text("body"))
        finally:
            await browser.close()
